"""What every response says to the browser, and what a response is where none was made."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from poolformer.ui.failures import record
from poolformer.ui.settings import FRAME_ANCESTORS

# Nothing of it runs or loads: for files, data, scripts and styles, which need no rights of their own.
CLOSED_POLICY = "default-src 'none'; frame-ancestors 'none'"
# The page's: nothing from any other host. Gradio draws its components with styles of their own, has small pictures in
# its style sheets, and compiles the scripts of gr.HTML as it goes. Its scripts in the page are named by their hashes,
# so that no other one runs, nor any handler that somebody smuggles into an element.
PAGE_POLICY = {
    "default-src": "'none'",
    "script-src": "'self' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'self'",
    "form-action": "'none'",
    "frame-ancestors": " ".join(FRAME_ANCESTORS),
}
COMMON = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


class HeadersMiddleware:
    """Adds the headers to every response of the app inside; answers 500 with a number where that one raises."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        page: list[Message] = []  # the parts of an HTML page, whose headers follow from its content
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(COMMON)
                if headers.get("content-type", "").startswith("text/html"):
                    page.append(message)
                    return
                headers["Content-Security-Policy"] = CLOSED_POLICY
            elif page:
                page.append(message)
                if message.get("more_body"):
                    return
                content = b"".join(part["body"] for part in page[1:])
                MutableHeaders(scope=page[0])["Content-Security-Policy"] = page_policy(content)
                for part in page:
                    await send(part)
                return
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if started:
                raise
            await JSONResponse({"detail": record(error)}, status_code=500)(scope, receive, send_with_headers)


def page_policy(html: bytes) -> str:
    """The policy of a page of our own, which allows the scripts that it holds."""
    hashes = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in INLINE_SCRIPT.findall(html))
    return _joined(
        {**PAGE_POLICY, "script-src": " ".join([PAGE_POLICY["script-src"], *(f"'sha256-{h}'" for h in hashes)])}
    )


def _joined(policy: Mapping[str, str]) -> str:
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())
