"""32 visitors for 1,000 requests, good and bad pictures, two variants; and variants that are switched all the time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.crowd import send_all
from benchmarks.plan import Plan
from benchmarks.resident import resident_bytes
from benchmarks.servers import serve
from benchmarks.table import Measure, Row
from benchmarks.visitor import open_visitors
from benchmarks.visits import Visit, plan_visits, send_visit
from poolformer.errors import ImageError
from poolformer.inference.engine import Engine
from poolformer.service import TOP_COUNT, PoolFormerService
from poolformer.ui.settings import MAX_FILES, MAX_FILES_BYTES

VISITORS = 32
FIRST = 100  # requests after which memory should not grow any more
QUICK_REQUESTS = 200
PHOTOS, QUICK_PHOTOS = 80, 10
VARIANTS = ("tiny", "s12")
GROWTH = 1.1  # times the memory after the first requests: the goal


def measure(plan: Plan) -> list[Row]:
    """All rows."""
    cache_dir = plan.hub_cache("s12")
    service = PoolFormerService(cache_dir=cache_dir)
    photos, requests = (QUICK_PHOTOS, QUICK_REQUESTS) if plan.quick else (PHOTOS, plan.requests)
    visits = plan_visits(service, plan.subfolder("pictures"), VARIANTS, photos, requests)
    sizes = [service.prepare(name).nbytes for name in VARIANTS]
    engine = Engine(max(sizes) + min(sizes) // 2, cache_dir)  # room for either, not for both
    return [*visit_app(plan, cache_dir, visits), *switch(engine, max(sizes) + min(sizes) // 2, visits[:FIRST], 8)]


def visit_app(plan: Plan, cache_dir: Path, visits: Sequence[Visit]) -> list[Row]:
    """The rows of the app, over HTTP."""
    with serve(plan, cache_dir=cache_dir) as app, open_visitors(app.url, VISITORS) as visitors:
        sending = [partial(send_visit, visitor) for visitor in visitors]
        begun = send_all(sending, visits[:FIRST])
        early_bytes = resident_bytes(app.pid)
        crowd = send_all(sending, visits[FIRST:])
        late_bytes = resident_bytes(app.pid)
        files = [path.stat().st_size for path in app.temporary.rglob("*") if path.is_file()]
    what = f"{len(visits):,} requests of {VISITORS} visitors"
    complaints = [complaint for complaint in (*begun.answers, *crowd.answers) if complaint]
    return [
        no_complaints(f"{what}: lost or mixed up", complaints),
        Row(f"{what}: answered", "1/s", Measure.of([crowd.rate])),
        Row(f"{what}: worst wait", "ms", Measure.of([1000 * max(crowd.waits_s)])),
        bounded(f"{what}: memory at the end", "MB", late_bytes / 1e6, early_bytes / 1e6, f"after {FIRST}", GROWTH),
        bounded(f"{what}: files at the end", "files", len(files), MAX_FILES, "the bound"),
        bounded(f"{what}: files at the end", "MB", sum(files) / 1e6, MAX_FILES_BYTES / 1e6, "the bound"),
    ]


def switch(engine: Engine, budget_bytes: int, visits: Sequence[Visit], visitors: int) -> list[Row]:
    """The rows of an engine whose `budget_bytes` hold only one of the variants that are asked for by turns."""

    def answer(visit: Visit) -> tuple[str, int]:
        try:
            scores, refusal = engine.answer(visit.picture, visit.variant, TOP_COUNT).scores, ""
        except ImageError as error:
            scores, refusal = (), str(error)
        return visit.complaint(scores, refusal), engine.loaded.nbytes

    answers = send_all([answer] * visitors, visits).answers
    what = f"{len(visits):,} requests that switch the variant"
    most_bytes = max(loaded for _, loaded in answers)
    return [
        no_complaints(f"{what}: wrong", [complaint for complaint, _ in answers if complaint]),
        bounded(f"{what}: most weights in memory", "MB", most_bytes / 1e6, budget_bytes / 1e6, "the cache budget"),
    ]


def no_complaints(what: str, complaints: Sequence[str]) -> Row:
    """The row of how many there were, and the first, if any."""
    first = f" ({complaints[0]})" if complaints else ""
    return Row(what + first, "requests", Measure.of([len(complaints)]), at_most=0)


def bounded(what: str, unit: str, ours: float, bound: float, name: str, at_most: float = 1.0) -> Row:
    """The row of something that has a bound."""
    return Row(what, unit, Measure.of([ours]), Measure.of([bound]), name, ratio_kind="of theirs", at_most=at_most)
