"""How fast something is here: measured by turns with what it is compared with, and on which machine."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import torch

from poolformer.nn import PoolFormerForImageClassification

K = TypeVar("K")
V = TypeVar("V")

SPEED_BATCH, SPEED_ROUNDS = 64, 20  # pictures in one timed forward pass; passes of each network, in turn


def by_turns(actions: Mapping[K, Callable[[], Any]], rounds: int) -> dict[K, list[float]]:
    """Milliseconds of each action, `rounds` times A B A B, after one unmeasured turn each."""
    return readings_by_turns({name: partial(_milliseconds, action) for name, action in actions.items()}, rounds)


def readings_by_turns(actions: Mapping[K, Callable[[], V]], rounds: int) -> dict[K, list[V]]:
    """What each action returns, `rounds` times A B A B, after one turn each that does not count."""
    readings: dict[K, list[V]] = {name: [] for name in actions}
    for turn in range(rounds + 1):
        for name, action in actions.items():
            reading = action()
            if turn:  # The first turn allocates what the others use again.
                readings[name].append(reading)
    return readings


def _milliseconds(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - started)


@torch.inference_mode()
def images_per_second(models: Mapping[str, PoolFormerForImageClassification], size_px: int) -> dict[str, float]:
    """Pictures a second of each model in float32: the median of batches in turn with the other models."""
    x = torch.rand(SPEED_BATCH, 3, size_px, size_px)
    milliseconds = by_turns({name: partial(model, x) for name, model in models.items()}, SPEED_ROUNDS)
    return {name: 1000 * SPEED_BATCH / statistics.median(times) for name, times in milliseconds.items()}


def machine() -> str:
    """What ran the measurements, in words."""
    return f"{torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}"
