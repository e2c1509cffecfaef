"""Work in pieces, shared among the cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")


def share_out(function: Callable[[T], object], pieces: Iterable[T]) -> None:
    """Calls `function` with each of the pieces, from this thread and from a helper on every other core.

    It pays where `function` lets go of the interpreter's lock. Pieces are taken one by one, by whoever is free: where
    all cores are busy with something else, this thread does them all and waits for nobody. What a piece raises, this
    raises.
    """
    waiting = deque(pieces)

    def work() -> None:
        while True:
            try:
                piece = waiting.popleft()
            except IndexError:
                return
            function(piece)

    helping = [_helpers().submit(work) for _ in range(min(len(waiting), core_count()) - 1)]
    try:
        work()
    finally:
        waiting.clear()
        begun = [future for future in helping if not future.cancel()]
    for future in begun:
        future.result()


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, core_count() - 1), "poolformer-pictures")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # A forked process has none of its parent's threads.
