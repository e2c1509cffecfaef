"""Every forward pass goes through one thread, first come first served; requests that wait share a batch.

While a batch runs, new requests queue up; the next batch is the oldest of them and all others that the same network
can take along. So nobody waits for company, and under load the batches grow by themselves. One thread, because torch
keeps a team of threads for each thread that calls it, and two forward passes at once would only slow each other.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import torch

from poolformer.inference.waiting import answer_of, check
from poolformer.nn.fused import FusedPoolFormer

MAX_BATCH = 32  # pictures in one forward pass: a class of thirty at once
MAX_BATCH_ON_CPU = 8  # on a processor more gain nothing, and all wait longer


@dataclass(frozen=True, eq=False)
class Pass:
    """One picture's share of a forward pass: float32, on the CPU.

    logits: (num_labels,).
    hidden_states: one (C, H, W) a stage; views of what the whole batch left.
    forward_ms: what the whole batch took.
    batch_size: how many pictures were in it.
    """

    logits: torch.Tensor
    hidden_states: tuple[torch.Tensor, ...]
    forward_ms: float
    batch_size: int


@dataclass(frozen=True, eq=False)
class _Request:
    network: FusedPoolFormer
    pixel_values: torch.Tensor  # (1, C, H, W)
    answer: Future[Pass] = field(default_factory=Future)

    def fits(self, other: _Request) -> bool:
        return self.network is other.network and self.pixel_values.shape == other.pixel_values.shape


class BatchRunner:
    """Runs networks for many callers; one forward pass at a time, of up to `max_batch` pictures."""

    def __init__(self, max_batch: int) -> None:
        self._max_batch = max_batch
        self._waiting: deque[_Request] = deque()
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="forward")

    def run(self, network: FusedPoolFormer, pixel_values: torch.Tensor, cancelled: Event | None = None) -> Pass:
        """The network's answer to one picture, pixel_values (1, C, H, W).

        Raises:
            CancelledError: `cancelled` was set before the answer was there.
        """
        check(cancelled)
        request = _Request(network, pixel_values)
        with self._lock:
            self._waiting.append(request)
        self._thread.submit(self._turn)  # one turn a request: some find that an earlier turn took theirs along
        return answer_of(request.answer, cancelled)

    def _turn(self) -> None:
        batch = [request for request in self._next() if request.answer.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            passes = _forward(batch[0].network, torch.cat([request.pixel_values for request in batch]))
        except BaseException as error:  # It belongs to the callers; this thread goes on.
            for request in batch:
                request.answer.set_exception(error)
            return
        for request, answer in zip(batch, passes, strict=True):
            request.answer.set_result(answer)

    def _next(self) -> list[_Request]:
        """The oldest request that is still wanted, with those that fit it; the others stay in order."""
        with self._lock:
            wanted = [request for request in self._waiting if not request.answer.cancelled()]
            batch = [request for request in wanted if request.fits(wanted[0])][: self._max_batch]
            taken = set(map(id, batch))
            self._waiting = deque(request for request in wanted if id(request) not in taken)
        return batch


def _forward(network: FusedPoolFormer, pixel_values: torch.Tensor) -> list[Pass]:
    started = time.perf_counter()
    output = network(pixel_values)
    logits = output.logits.cpu()  # on a GPU this waits for the pass to end
    forward_ms = 1000 * (time.perf_counter() - started)
    states = [state.float().cpu() for state in output.hidden_states]
    return [
        Pass(logits[i], tuple(state[i] for state in states), forward_ms, len(pixel_values))
        for i in range(len(pixel_values))
    ]
