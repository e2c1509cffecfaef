"""The peak memory of the app while all six variants are used in turn, in several orders."""

from __future__ import annotations

import random

from benchmarks.fresh import run_fresh
from benchmarks.photos import write_photos
from benchmarks.plan import Plan
from benchmarks.table import Measure, Row
from poolformer.inference.loading import load_variant
from poolformer.service import CACHE_BUDGET_BYTES
from poolformer.weights.variants import VARIANT_NAMES, VARIANTS

ALLOWANCE_BYTES = 1 << 30  # for imports, pictures, and what one forward pass needs: the goal
IN_TURN = """
import sys
from pathlib import Path
from benchmarks.resident import peak_bytes
from poolformer.service import PoolFormerService
from poolformer.ui.page import build_demo
cache_dir, photo, *names = sys.argv[1:]
service = PoolFormerService(cache_dir=Path(cache_dir))
demo = build_demo(service)
for name in names:
    service.run(photo, name).pack()
print(peak_bytes(), flush=True)
"""


def orders(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """In which orders they are used: each at least once."""
    twice = [*names, *names]
    random.Random(0).shuffle(twice)
    return {"smallest first": names, "largest first": names[::-1], "mixed, each twice": tuple(twice)}


def measure(plan: Plan) -> list[Row]:
    """A row an order."""
    names = ("tiny", "s12") if plan.quick else VARIANT_NAMES
    cache_dir = plan.hub_cache(*(name for name in names if name in VARIANTS))
    (photo,) = write_photos(plan.subfolder("photos"), 1)
    weights_bytes = sum(load_variant(name, cache_dir=cache_dir).nbytes for name in names)
    allowed = Measure.of([(CACHE_BUDGET_BYTES + ALLOWANCE_BYTES) / 1e6])
    return [
        Row(
            f"peak memory, {len(names)} variants ({weights_bytes / 1e6:,.0f} MB of weights), {order}",
            "MB",
            Measure.of([int(run_fresh(IN_TURN, [str(cache_dir), str(photo), *turns])) / 1e6]),
            allowed,
            "the cache budget and 1 GiB",
            ratio_kind="of theirs",
            at_most=1.0,
        )
        for order, turns in orders(names).items()
    ]
