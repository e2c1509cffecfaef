"""Which requests reach Gradio: those that the page and the API make, of a size that they need."""

from __future__ import annotations

from urllib.parse import urlsplit

from gradio.route_utils import API_PREFIX
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from poolformer.ui.settings import MAX_BODY_BYTES, MAX_UPLOAD_BYTES

# Gradio has more: a proxy, a fetcher of addresses, a video converter, links that keep the state of a session, a login,
# monitoring, an editor of the app itself. None of it is needed here, and what cannot be asked cannot be misused.
READ = frozenset(
    {
        *("/", "/config", "/theme.css", "/favicon.ico", "/robots.txt"),
        *(f"{API_PREFIX}/{name}" for name in ("info", "openapi.json", "startup-events", "app_id", "queue/data")),
        *(f"{API_PREFIX}/{name}" for name in ("queue/status", "upload_progress", "theme.css")),
    }
)
READ_UNDER = ("/static/", "/assets/", f"{API_PREFIX}/file=", f"{API_PREFIX}/heartbeat/", f"{API_PREFIX}/call/")
FETCHED = (f"{API_PREFIX}/file=http://", f"{API_PREFIX}/file=https://")  # by the server, for whoever asks
WRITE = frozenset(f"{API_PREFIX}/{name}" for name in ("upload", "queue/join", "cancel", "reset"))
WRITE_UNDER = (f"{API_PREFIX}/call/",)
# Around a file in an upload there are a name and a boundary.
MAX_UPLOAD_BODY_BYTES = MAX_UPLOAD_BYTES + 2**16
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})


class GateMiddleware:
    """Answers 404, 403 or 413 for requests that nobody needs to make; all others reach the app inside."""

    def __init__(self, app: ASGIApp, api_names: frozenset[str]) -> None:
        self._app, self._api_names = app, api_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, headers = scope["path"], Headers(scope=scope)
        limit_bytes = MAX_UPLOAD_BODY_BYTES if path.rstrip("/") == f"{API_PREFIX}/upload" else MAX_BODY_BYTES
        if not _is_offered(scope["method"], path, self._api_names):
            response = JSONResponse({"detail": "There is nothing at this address."}, status_code=404)
        elif _is_foreign(headers):
            response = JSONResponse({"detail": "Pages of other origins cannot use this demo."}, status_code=403)
        elif _announced_bytes(headers) > limit_bytes:
            response = JSONResponse({"detail": _too_large(limit_bytes)}, status_code=413)
        else:
            await self._app(scope, _limited(receive, limit_bytes), send)
            return
        await response(scope, receive, send)


def _is_offered(method: str, path: str, api_names: frozenset[str]) -> bool:
    if path.startswith(f"{API_PREFIX}/call/"):
        name = path.removeprefix(f"{API_PREFIX}/call/").removeprefix("v2/").partition("/")[0]
        return name in api_names
    exact, prefixes = (READ, READ_UNDER) if method in ("GET", "HEAD") else (WRITE, WRITE_UNDER)
    return not path.startswith(FETCHED) and ((path.rstrip("/") or "/") in exact or path.startswith(prefixes))


def _is_foreign(headers: Headers) -> bool:
    """Whether a page from elsewhere asks a demo on its visitor's own machine, which no stranger could ask otherwise."""
    asked = headers.get("x-forwarded-host", headers.get("host", "")).partition(",")[0]
    origin = headers.get("origin")
    return origin is not None and _host(f"//{asked}") in LOCAL_HOSTS and _host(origin) not in LOCAL_HOSTS


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _announced_bytes(headers: Headers) -> int:
    announced = headers.get("content-length", "")
    return int(announced) if announced.isdecimal() else 0


def _limited(receive: Receive, limit_bytes: int) -> Receive:
    """As `receive`, for bodies whose size was not announced: raises an HTTPException beyond the limit."""
    received_bytes = 0

    async def receive_limited() -> Message:
        nonlocal received_bytes
        message = await receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > limit_bytes:
            raise HTTPException(413, _too_large(limit_bytes))
        return message

    return receive_limited


def _too_large(limit_bytes: int) -> str:
    return f"This request is larger than {limit_bytes / 2**20:.0f} MB; send a smaller picture."
