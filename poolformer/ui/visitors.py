"""Who waits for an answer: the work of a visitor who leaves is cancelled, and the process ends when nobody waits."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from gradio.context import LocalContext
from gradio.route_utils import API_PREFIX
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEARTBEAT = f"{API_PREFIX}/heartbeat/"
MAX_DEPARTED = 1000  # sessions that are remembered as gone; a late request comes within a second


class Visitors:
    """The handlers that run, by whom they run for, and the streams in which visitors wait for what they return.

    A visitor is known by the session that Gradio gave his page, or by the event that he waits for: an answer of the API
    is a stream of its own. Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._running: defaultdict[str, set[threading.Event]] = defaultdict(set)
        self._streams: Counter[str] = Counter()
        self._departed: OrderedDict[str, None] = OrderedDict()
        self.is_closed = False  # whether new requests are turned away
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hung_up = asyncio.Event()

    @contextmanager
    def present(self) -> Iterator[threading.Event]:
        """In a handler: an event that is set as soon as whoever it runs for has left, or has cancelled it."""
        request, event_id = LocalContext.request.get(None), LocalContext.event_id.get(None)
        keys = {key for key in (request and request.session_hash, event_id) if key}
        left = threading.Event()
        with self._lock:
            if not keys.isdisjoint(self._departed):
                left.set()
            for key in keys:
                self._running[key].add(left)
        try:
            yield left
        finally:
            with self._lock:
                for key in keys:
                    self._running[key].discard(left)
                    if not self._running[key]:
                        del self._running[key]

    def cancel(self, key: str) -> None:
        """Cancels what runs for this session or event."""
        with self._lock:
            for left in self._running.get(key, ()):
                left.set()

    def arrive(self, session: str) -> None:
        """A page is open."""
        with self._lock:
            self._departed.pop(session, None)

    def depart(self, session: str) -> None:
        """A page is closed. Its last request may come later than this, and before it has a stream for the answer."""
        with self._lock:
            if session in self._streams:
                return
            self._departed[session] = None
            if len(self._departed) > MAX_DEPARTED:
                self._departed.popitem(last=False)
        self.cancel(session)

    @contextmanager
    def waiting(self, key: str) -> Iterator[None]:
        """For as long as there is a stream in which somebody waits for an answer."""
        with self._lock:
            self._streams[key] += 1
        try:
            yield
        finally:
            with self._changed:
                self._streams[key] -= 1
                self._streams += Counter()  # without those that are 0
                self._changed.notify_all()

    def close(self, drain_s: float, cancel_s: float) -> None:
        """Turns new requests away, lets those that run end, cancels the rest, and hangs up; from the main thread."""
        self.is_closed = True
        with self._changed:
            self._changed.wait_for(lambda: not self._streams, drain_s)
            for events in self._running.values():
                for left in events:
                    left.set()
            self._changed.wait_for(lambda: not self._streams, cancel_s)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._hung_up.set)

    async def receive(self, receive: Receive) -> Message:
        """The next message of a visitor, or that he is gone once this process hangs up."""
        self._loop = asyncio.get_running_loop()
        message, hung_up = asyncio.ensure_future(receive()), asyncio.ensure_future(self._hung_up.wait())
        try:
            await asyncio.wait((message, hung_up), return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            message.cancel()
            hung_up.cancel()


class VisitorsMiddleware:
    """Tells `visitors` who waits for an answer, who has left, and which request somebody has cancelled."""

    def __init__(self, app: ASGIApp, visitors: Visitors) -> None:
        self._app, self._visitors = app, visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "POST":
            await self._post(scope, receive, send)
        elif key := _awaited(scope):
            with self._visitors.waiting(key):
                await self._stream(scope, receive, send, lambda: self._visitors.cancel(key))
            _forget_session(scope["app"], key)
        elif scope["path"].startswith(HEARTBEAT):
            session = scope["path"].removeprefix(HEARTBEAT)
            self._visitors.arrive(session)
            await self._stream(scope, receive, send, lambda: self._visitors.depart(session))
        else:
            await self._app(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].rstrip("/") == f"{API_PREFIX}/cancel":
            receive = await self._cancelling(receive)
        elif self._visitors.is_closed:
            await JSONResponse({"detail": "The demo is being shut down."}, status_code=503)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _cancelling(self, receive: Receive) -> Receive:
        """Cancels the event that the body names; as `receive`, for a body that says so to Gradio.

        Gradio would also cancel all others of the same session that call the same function.
        """
        body, more_body = b"", True
        while more_body:
            message = await receive()
            body, more_body = body + message.get("body", b""), message.get("more_body", False)
        try:
            named = json.loads(body)
        except ValueError:
            named = None
        if isinstance(named, dict):
            self._visitors.cancel(str(named.get("event_id")))
            body = json.dumps({**named, "fn_index": -1}).encode()
        return _received_again({"type": "http.request", "body": body, "more_body": False}, receive)

    async def _stream(self, scope: Scope, receive: Receive, send: Send, leave: Callable[[], None]) -> None:
        """Serves a stream until it ends, its visitor leaves, which calls `leave`, or this process hangs up."""
        begun = ended = False

        async def receive_or_hang_up() -> Message:
            message = await self._visitors.receive(receive)
            if message["type"] == "http.disconnect" and not ended:
                leave()
            return message

        async def send_noting(message: Message) -> None:
            nonlocal begun, ended
            begun, ended = True, message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        await self._app(scope, receive_or_hang_up, send_noting)
        if begun and not ended:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _awaited(scope: Scope) -> str | None:
    """The session or event whose answers this request waits for."""
    path: str = scope["path"].rstrip("/")
    if path == f"{API_PREFIX}/queue/data":
        sessions: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])
        return sessions[0] if sessions else None
    return path.rpartition("/")[2] if path.startswith(f"{API_PREFIX}/call/") else None


def _forget_session(app: Any, key: str) -> None:
    """Removes what Gradio keeps of a session for whose answers nobody waits any more; otherwise it would stay."""
    pending = app.get_blocks()._queue.pending_event_ids_session
    if not pending.get(key, True):
        del pending[key]


def _received_again(first: Message, receive: Receive) -> Receive:
    messages = [first]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
