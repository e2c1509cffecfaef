"""Waiting for one's turn, unless whoever asked has left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from poolformer.errors import CancelledError

POLL_S = 0.05  # seconds within which it is noticed that somebody left

_T = TypeVar("_T")


def check(cancelled: Event | None) -> None:
    """Raises CancelledError if `cancelled` is set."""
    if cancelled is not None and cancelled.is_set():
        raise CancelledError("The request was cancelled; send it again when you want its answer.")


@contextmanager
def held(lock: threading.Lock | threading.Semaphore, cancelled: Event | None) -> Iterator[None]:
    """Holds the lock, once it is free.

    Raises:
        CancelledError: `cancelled` was set before the lock was free.
    """
    check(cancelled)
    if cancelled is None:
        lock.acquire()
    else:
        while not lock.acquire(timeout=POLL_S):
            check(cancelled)
    try:
        yield
    finally:
        lock.release()


def answer_of(future: Future[_T], cancelled: Event | None) -> _T:
    """What the future holds, once it is done; its work is not begun any more after a `CancelledError`.

    Raises:
        CancelledError: `cancelled` was set before the work was done.
    """
    while cancelled is not None and not wait([future], timeout=POLL_S).done:
        if cancelled.is_set():
            future.cancel()
            check(cancelled)
    return future.result()
