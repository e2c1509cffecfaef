"""Work that is given up when it makes no progress, or when somebody no longer wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TypeVar

POLL_S = 0.05  # seconds within which a wish to cancel is noticed; short for a person, long for a processor

_T = TypeVar("_T")


class StalledError(TimeoutError):
    """Work that has made no progress for `limit_s` seconds."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"no progress for {limit_s:g} s")
        self.limit_s = limit_s


class CancelledError(Exception):
    """Work that somebody no longer wants."""


class Watch:
    """What the worker tells of its progress; at each call it learns, by `CancelledError`, that it should end."""

    def __init__(self, limit_s: float) -> None:
        self._stopped = threading.Event()
        self._limit_s, self._moved_at = limit_s, time.monotonic()

    def moved(self, limit_s: float | None = None) -> None:
        """Progress has been made; from now on the limit is `limit_s`, if given."""
        if self._stopped.is_set():
            raise CancelledError
        self._limit_s, self._moved_at = limit_s or self._limit_s, time.monotonic()

    def pause(self, seconds: float) -> None:
        """Waits; this is no progress."""
        if self._stopped.wait(seconds):
            raise CancelledError

    def stop(self) -> None:
        """The worker ends at its next call."""
        self._stopped.set()

    def check(self) -> None:
        """Raises `StalledError` past the limit."""
        if time.monotonic() - self._moved_at > self._limit_s:
            raise StalledError(self._limit_s)


def call_watched(call: Callable[[Watch], _T], limit_s: float, cancelled: threading.Event | None = None) -> _T:
    """What `call` returns or raises, as long as it makes progress at least every `limit_s` seconds.

    The call runs in a daemon thread, with the context variables of the caller. When it is given up, nobody waits for
    it: a name look-up cannot be interrupted, and a read ends at its own timeout. It then ends at its next word to the
    watch.

    Raises:
        StalledError: no progress for longer than the limit.
        CancelledError: `cancelled` has been set.
    """
    watch, future, context = Watch(limit_s), Future[_T](), copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(call, watch))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name="hub", daemon=True).start()
    try:
        while not wait([future], timeout=POLL_S).done:
            if cancelled is not None and cancelled.is_set():
                raise CancelledError
            watch.check()
    finally:  # Also when the waiting thread is interrupted from the keyboard.
        watch.stop()
    return future.result()
