"""How the local Hub misbehaves: each takes the place of a proper answer."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from hub_server import Fault, HubHandler


def refuse(status: int, error_code: str = "", retry_after_s: int | None = None) -> Fault:
    """Answers with `status` and, as the Hub does, its reason in X-Error-Code."""
    headers = {"X-Error-Code": error_code} if error_code else {}
    headers |= {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return lambda handler: handler.send(status, headers)


def answer_page(handler: HubHandler) -> None:
    """Answers everything with a log-in page, as a hotel's network does."""
    handler.send(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")


def redirect_to_page(handler: HubHandler) -> None:
    """Sends everybody to the log-in page, which is another server's."""
    if "/log-in" in handler.path:
        answer_page(handler)
    else:
        handler.send(302, {"Location": f"http://localhost:{handler.hub.port}/log-in{handler.path}"})


def hang(handler: HubHandler) -> None:
    """Accepts and never answers, until the server closes."""
    handler.hub.closing.wait()
    handler.close_connection = True


def spoil(change: Callable[[bytes], bytes]) -> Fault:
    """Sends what `change` makes of a file's content, with the length that this has; the announcement stays true."""

    def answer(handler: HubHandler) -> None:
        handler.spoil = change
        handler.answer()

    return answer


def cut(after_bytes: int) -> Fault:
    """Breaks the connection when so many bytes of a file have been sent."""

    def answer(handler: HubHandler) -> None:
        handler.cut_bytes = after_bytes
        handler.answer()

    return answer


def hold(after_bytes: int, released: Event) -> Fault:
    """Sends so many bytes of a file, and the rest when `released` is set."""

    def answer(handler: HubHandler) -> None:
        handler.held = (after_bytes, released)
        handler.answer()

    return answer


def stall(after_bytes: int) -> Fault:
    """Sends so many bytes of a file, then nothing, until the server closes."""

    def answer(handler: HubHandler) -> None:
        cut(after_bytes)(handler)
        handler.wfile.flush()
        if handler.command != "HEAD":
            hang(handler)

    return answer
