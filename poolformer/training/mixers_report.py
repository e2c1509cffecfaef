"""The comparison of token mixers as results.json and as a page, next to what the paper reports."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS_NAME, TABLE_NAME = "results.json", "README.md"
SOURCE = "arXiv:2111.11418, table 5"


@dataclass(frozen=True)
class MixerRow:
    """What one token mixer came to.

    top1: percent on the test split, one for each seed.
    parameters, frozen: trained numbers, and numbers that are never trained.
    macs: multiply-accumulates for one picture, as fvcore counts.
    images_per_second: of the forward pass in float32.
    """

    token_mixer: str
    top1: Sequence[float]
    parameters: int
    frozen: int
    macs: int
    images_per_second: float

    @property
    def mean(self) -> float:
        """The mean accuracy, in percent."""
        return statistics.fmean(self.top1)

    @property
    def spread(self) -> float | None:
        """The sample standard deviation of the accuracies, in percentage points; None for a single run."""
        return statistics.stdev(self.top1) if len(self.top1) > 1 else None


@dataclass(frozen=True)
class PublishedRow:
    """A row of the PoolFormer paper's ablation on ImageNet-1k: S12 with another token mixer (millions, G, percent)."""

    token_mixer: str
    parameters_m: float
    macs_g: float
    top1: float
    source: str = SOURCE


PUBLISHED = (
    PublishedRow("pooling (PoolFormer-S12)", 11.9, 1.8, 77.2),
    PublishedRow("identity", 11.9, 1.8, 74.3),
    PublishedRow("random (and 21 M frozen numbers)", 11.9, 3.3, 75.8),
    PublishedRow("convolution (depthwise)", 11.9, 1.8, 78.1),
    PublishedRow("pooling, and attention in the last stage", 14.0, 1.9, 78.3),
    PublishedRow("pooling, and attention in the last two stages", 16.5, 2.5, 81.0),
)

LIMITS = """## What this can show, and what it cannot

All runs differ in the token mixer and the seed alone, so a difference well beyond the spread is the mixer's, *in this
setting*: a network of a few hundred thousand parameters, pictures of 32 x 32 pixels, few epochs, one optimiser whose
settings were chosen with pooling. The identity is the paper's claim in small: it mixes nothing inside a block, so what
it gets right is the work of the patch embeddings, which see neighbours, and of the rest of the MetaFormer.

It cannot show how the mixers compare at ImageNet's size. Short training favours what has a prior built in over what has
to be learnt, so attention, which starts without any notion of place and has no position embeddings here, gets less than
it would from a long run on large pictures. A handful of seeds gives a rough spread and no test of significance. And the
same number of epochs is not the same amount of work: see the columns of MACs and pictures a second."""


def write_report(folder: Path, rows: Sequence[MixerRow], facts: Mapping[str, Any]) -> None:
    """Writes both files into `folder`. `facts` are the dataset, its sizes, date, command, machine and recipe."""
    entries = [{**dataclasses.asdict(row), "mean": round(row.mean, 2), "spread": row.spread} for row in rows]
    published = [dataclasses.asdict(row) for row in PUBLISHED]
    results = {**facts, "rows": entries, "published_imagenet": published}
    (folder / RESULTS_NAME).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (folder / TABLE_NAME).write_text(markdown(rows, facts), encoding="utf-8")


def markdown(rows: Sequence[MixerRow], facts: Mapping[str, Any]) -> str:
    """The whole page."""
    recipe, runs = facts["recipe"], len(rows[0].top1)
    table = "\n".join(_line(row) for row in rows)
    published = "\n".join(
        f"| {row.token_mixer} | {row.top1:.1f} | {row.parameters_m:.1f} | {row.macs_g:.1f} |" for row in PUBLISHED
    )
    return f"""# Five token mixers, one MetaFormer

The same network, data, {recipe["epochs"]} epochs and {runs} {"seed" if runs == 1 else "seeds"} for each; only the token
mixer differs. {facts["dataset"]}: {facts["train_images"]:,} training pictures, and top-1 accuracy on
{facts["test_images"]:,} test pictures, of the last epoch.

| token mixer | top-1 (%), mean ± standard deviation | of each seed | parameters | MACs (M) | pictures/s |
|---|---|---|---|---|---|
{table}

MACs are for one picture of {recipe["image_size_px"]} x {recipe["image_size_px"]} pixels, counted as fvcore does.
Pictures a second: forward pass, float32, batches of 64, all mixers in turn, median; {facts["machine"]}.

Measured on {facts["date"]} by

```
{facts["command"]}
```

with the recipe `{recipe["name"]}` of `poolformer/training/recipes/`. The folders beside this page hold the model of the
first seed of each mixer, whatever it scored. `transformers` opens the one with pooling only: it knows no other mixer.

## What the paper reports on ImageNet-1k

*MetaFormer Is Actually What You Need for Vision* ({SOURCE}), S12-size models, 224 x 224 pixels, 300 epochs. It has no
row with attention in all four stages.

| token mixer | top-1 (%) | parameters (M) | MACs (G) |
|---|---|---|---|
{published}

{LIMITS}
"""


def _line(row: MixerRow) -> str:
    accuracy = f"{row.mean:.2f}" + ("" if row.spread is None else f" ± {row.spread:.2f}")
    seeds = ", ".join(f"{value:.2f}" for value in row.top1)
    parameters = f"{row.parameters:,}" + (f" and {row.frozen:,} frozen" if row.frozen else "")
    speed = f"{row.images_per_second:,.0f}"
    return f"| {row.token_mixer} | {accuracy} | {seeds} | {parameters} | {row.macs / 1e6:.1f} | {speed} |"
