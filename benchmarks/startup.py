"""From `python app.py` to the first page: against a Gradio app that greets."""

from __future__ import annotations

import time
from functools import partial

from benchmarks.plan import Plan
from benchmarks.servers import HELLO, serve
from benchmarks.table import Measure, Row
from poolformer.training.speed import readings_by_turns

ROUNDS = 5
SLOWER = 1.25  # times the greeting app: the goal


def measure(plan: Plan) -> list[Row]:
    """The row."""
    spent = readings_by_turns(
        {"app.py": partial(start, plan, "app.py"), HELLO: partial(start, plan, HELLO)}, plan.rounds(ROUNDS)
    )
    return [
        Row(
            "python app.py to the first page served",
            "ms",
            Measure.of(spent["app.py"]),
            Measure.of(spent[HELLO]),
            "a Gradio app that says hello",
            ratio_kind="of theirs",
            at_most=SLOWER,
        )
    ]


def start(plan: Plan, script: str) -> float:
    """Milliseconds from the start of the process until GET / is answered with 200."""
    started = time.perf_counter()
    with serve(plan, script):
        return 1000 * (time.perf_counter() - started)
