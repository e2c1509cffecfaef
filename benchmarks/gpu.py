"""Pictures a second on a GPU, against `transformers` on the same; no rows where there is no CUDA."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.checkpoints import build_model
from benchmarks.forward import SIZE_PX
from benchmarks.oracle import assert_equal, build_oracle
from benchmarks.plan import Plan
from benchmarks.table import Measure, Row
from poolformer.nn.fused import FusedPoolFormer
from poolformer.training.speed import by_turns
from poolformer.weights.variants import VARIANTS

BATCHES = (1, 256)
ROUNDS = 20
TYPES = (torch.float32, torch.bfloat16)


def measure(plan: Plan) -> list[Row]:
    """All rows."""
    if not torch.cuda.is_available():
        return []
    device = torch.device("cuda")
    return [
        row
        for name in plan.some(tuple(VARIANTS))
        for dtype in TYPES
        for row in measure_variant(name, dtype, device, plan)
    ]


@torch.no_grad()
def measure_variant(
    name: str, dtype: torch.dtype, device: torch.device, plan: Plan, batches: tuple[int, ...] = BATCHES
) -> list[Row]:
    """The rows of one variant in one number type: eager, and compiled if the plan says so."""
    model = build_model(name).to(device)
    oracle = build_oracle(model)
    if dtype == torch.float32:
        x = torch.randn(1, 3, SIZE_PX, SIZE_PX, device=device)
        assert_equal(FusedPoolFormer(model)(x), oracle(x, output_hidden_states=True))
    oracle = oracle.to(dtype)
    ways: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "eager": (FusedPoolFormer(model, dtype), torch.inference_mode()(oracle))
    }
    if plan.compiled:
        ways["compiled"] = FusedPoolFormer(model, dtype, compiled=True), torch.compile(oracle)
    rows = []
    for batch in batches:
        x = torch.randn(batch, 3, SIZE_PX, SIZE_PX, device=device, dtype=dtype)
        actions = {}
        for way, (ours, theirs) in ways.items():
            actions[way, "ours"] = partial(_finished, partial(ours, x))
            actions[way, "theirs"] = partial(_finished, partial(theirs, x, output_hidden_states=True))
        spent = by_turns(actions, plan.rounds(ROUNDS))
        what = f"forward on {device.type}: {name}, {str(dtype).removeprefix('torch.')}, batch {batch}"
        for way in ways:
            mine, other = (Measure.of([1000 * batch / ms for ms in spent[way, side]]) for side in ("ours", "theirs"))
            rows.append(
                Row(f"{what}, {way}", "pictures/s", mine, other, f"transformers, {way}", ratio_kind="of theirs")
            )
    return rows


def _finished(action: Callable[[], Any]) -> None:
    """Returns when the GPU has done what the action asked for."""
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
