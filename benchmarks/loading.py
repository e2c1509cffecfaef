"""From a checkpoint in the cache to the first result: against `from_pretrained` and a first forward pass."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import torch
import transformers

from benchmarks.fresh import run_fresh
from benchmarks.plan import Plan
from benchmarks.table import Measure, Row
from poolformer.inference.loading import load_variant
from poolformer.training.speed import by_turns
from poolformer.weights.cache import RepositoryCache
from poolformer.weights.integrity import BLOBS_NAME
from poolformer.weights.variants import VARIANTS

NAMES = ("s12", "m48")
ROUNDS, FRESH_ROUNDS = 7, 3
FASTER = 3.0  # times as fast as transformers: the goal
OPPONENT = "transformers"

OURS = """
import sys
from pathlib import Path
import torch
from poolformer.inference.loading import load_variant
variant = load_variant(sys.argv[1], cache_dir=Path(sys.argv[2]))
print(tuple(variant.network(torch.zeros(1, 3, 224, 224)).logits.shape), flush=True)
"""
THEIRS = """
import sys
import torch
from transformers import PoolFormerForImageClassification
model = PoolFormerForImageClassification.from_pretrained(sys.argv[1], cache_dir=sys.argv[2])
with torch.inference_mode():
    output = model(torch.zeros(1, 3, 224, 224), output_hidden_states=True)
print(tuple(output.logits.shape), flush=True)
"""


def measure(plan: Plan) -> list[Row]:
    """All rows."""
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    names = plan.some(NAMES)
    cache_dir = plan.hub_cache(*names)
    return [row for name in names for row in measure_variant(name, cache_dir, plan)]


def measure_variant(name: str, cache_dir: Path, plan: Plan) -> list[Row]:
    """The rows of one variant: with all imported, and in a fresh process."""
    x, hub_id = torch.zeros(1, 3, 224, 224), VARIANTS[name].hub_id
    blobs = list((RepositoryCache(cache_dir, hub_id).folder / BLOBS_NAME).iterdir())

    def ours() -> torch.Tensor:
        for blob in blobs:  # A file that has changed is checked again, as it is in every process for the first time.
            os.utime(blob)
        return load_variant(name, cache_dir=cache_dir).network(x).logits

    @torch.inference_mode()
    def theirs() -> torch.Tensor:
        model = transformers.PoolFormerForImageClassification.from_pretrained(
            hub_id, cache_dir=cache_dir, local_files_only=True
        )
        logits: torch.Tensor = model(x, output_hidden_states=True).logits
        return logits

    torch.testing.assert_close(ours(), theirs(), atol=1e-4, rtol=1e-4)
    loaded = by_turns({"ours": ours, "theirs": theirs}, plan.rounds(ROUNDS))
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    fresh = by_turns(
        {
            "ours": partial(run_fresh, OURS, [name, str(cache_dir)], offline),
            "theirs": partial(run_fresh, THEIRS, [hub_id, str(cache_dir)], offline),
        },
        plan.rounds(FRESH_ROUNDS),
    )
    return [
        _row(f"{name}: checkpoint in the cache to first result", loaded, FASTER),
        _row(f"{name}: the same in a fresh process, imports included", fresh, None),
    ]


def _row(what: str, spent: dict[str, list[float]], at_least: float | None) -> Row:
    return Row(what, "ms", Measure.of(spent["ours"]), Measure.of(spent["theirs"]), OPPONENT, at_least=at_least)
