"""32 clients at once: against the same pictures in one offline batch, and against a queue that is fair.

First in this process, where each client is a thread that asks the service; then over HTTP. The clients run on the
processor that the app runs on, so what they take is missing there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.crowd import Crowd, send_all
from benchmarks.photos import write_photos
from benchmarks.plan import Plan
from benchmarks.servers import serve
from benchmarks.table import Measure, Row
from benchmarks.visitor import Visitor, open_visitors
from poolformer.folders.classify import classify_files
from poolformer.folders.walk import find_files
from poolformer.inference.loading import load_variant
from poolformer.service import PoolFormerService
from poolformer.training.speed import readings_by_turns

NAME = "s12"
CLIENTS, EACH = 32, 4
ROUNDS = 2
SHARE, SLOWER = 0.8, 1.5  # of the offline rate; times the fair wait: the goals


def measure(plan: Plan) -> list[Row]:
    """All rows."""
    cache_dir = plan.hub_cache(NAME)
    photos = write_photos(plan.subfolder("photos"), CLIENTS * EACH)
    service = PoolFormerService(cache_dir=cache_dir)
    threads = [partial(service.classify, name=NAME)] * CLIENTS
    rows = compare("in the process", threads, photos, cache_dir, plan)
    with serve(plan, cache_dir=cache_dir) as app, open_visitors(app.url, CLIENTS) as visitors:
        asking = [partial(ask, visitor) for visitor in visitors]
        return [*rows, *compare("over HTTP", asking, photos, cache_dir, plan)]


def ask(visitor: Visitor, photo: Path) -> Any:
    """The labels, over HTTP."""
    return visitor.ask("classify", photo, NAME)


def compare(
    where: str, visitors: Sequence[Callable[[Path], Any]], photos: Sequence[Path], cache_dir: Path, plan: Plan
) -> list[Row]:
    """The rows of these visitors, by turns with the offline batch."""
    variant = load_variant(NAME, cache_dir=cache_dir)

    def classify_offline() -> float:
        started = time.perf_counter()
        rows = list(classify_files(find_files(photos), variant))
        return len(rows) / (time.perf_counter() - started)

    readings: dict[str, list[Any]] = readings_by_turns(
        {"crowd": partial(send_all, visitors, photos), "offline rate": classify_offline}, plan.rounds(ROUNDS)
    )
    crowds: list[Crowd[Any]] = readings["crowd"]
    what = f"{NAME}, {len(visitors)} clients at once, {where}"
    return [
        Row(
            f"{what}: pictures a second",
            "1/s",
            Measure.of([crowd.rate for crowd in crowds]),
            Measure.of(readings["offline rate"]),
            "one offline batch",
            ratio_kind="of theirs",
            at_least=SHARE,
        ),
        Row(
            f"{what}: worst client's wait",
            "ms",
            Measure.of([1000 * max(crowd.waits_s) for crowd in crowds]),
            Measure.of([1000 * crowd.fair_wait_s(len(visitors)) for crowd in crowds]),
            "first come, first served",
            ratio_kind="of theirs",
            at_most=SLOWER,
        ),
    ]
