"""Many at once: each in a thread of its own, one request after the other, all begun together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True)
class Crowd(Generic[V]):
    """What a crowd got: one answer a request, with the seconds that each was waited for, and how long all took."""

    answers: tuple[V, ...]
    waits_s: tuple[float, ...]
    total_s: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.answers) / self.total_s

    def fair_wait_s(self, count: int) -> float:
        """How long the last of `count` who come at once waits when they are served one after the other at this rate."""
        return count / self.rate


def send_all(visitors: Sequence[Callable[[T], V]], requests: Sequence[T]) -> Crowd[V]:
    """The answers to the requests in their order; visitor i of n sends i, i + n, i + 2 n, ... An error ends it all."""
    count = len(visitors)
    together = threading.Barrier(count + 1)

    def visit(number: int) -> list[tuple[V, float]]:
        together.wait()
        return [_timed(visitors[number], request) for request in requests[number::count]]

    with ThreadPoolExecutor(count, thread_name_prefix="visitor") as pool:
        visits = [pool.submit(visit, number) for number in range(count)]
        together.wait()
        started = time.perf_counter()
        found = [visit.result() for visit in visits]
        total_s = time.perf_counter() - started
    in_order = [found[number % count][number // count] for number in range(len(requests))]
    return Crowd(tuple(answer for answer, _ in in_order), tuple(wait for _, wait in in_order), total_s)


def _timed(visitor: Callable[[T], V], request: T) -> tuple[V, float]:
    started = time.perf_counter()
    answer = visitor(request)
    return answer, time.perf_counter() - started
