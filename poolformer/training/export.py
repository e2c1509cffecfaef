"""What a finished run leaves behind: a checkpoint that either library opens, its accuracy, a curve and a model card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors.torch import save

from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerForImageClassification
from poolformer.nn.config_file import POOLING
from poolformer.training.loop import EpochResult
from poolformer.training.recipe import Recipe
from poolformer.weights.checkpoint import Checkpoint
from poolformer.weights.variants import METRICS_NAME, VARIANTS

WEIGHTS_NAME = "model.safetensors"
CURVE_NAME = "curve.png"
CARD_NAME = "README.md"


def export_checkpoint(
    model: PoolFormerForImageClassification, processor: PoolFormerImageProcessorPil, folder: Path
) -> None:
    """Writes config.json, model.safetensors (float32) and preprocessor_config.json into `folder`."""
    model.config.extra["architectures"] = ["PoolFormerForImageClassification"]
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    weights = {key: value.float().cpu().contiguous() for key, value in model.state_dict().items()}
    # Not save_file: that gives the file to its owner alone, whatever the umask says.
    (folder / WEIGHTS_NAME).write_bytes(save(weights, metadata={"format": "pt"}))


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Writes `folder`/metrics.json."""
    (folder / METRICS_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def write_curve(folder: Path, history: Sequence[EpochResult], kept: EpochResult) -> None:
    """Writes `folder`/curve.png: the loss and the accuracy of every epoch, and which epoch was kept."""
    from poolformer.render.curve import draw_curves  # here, because matplotlib takes long to import

    validated = kept.validation_top1 is not None
    picture = draw_curves(
        [result.train_loss for result in history],
        [result.top1 for result in history],
        "validation" if validated else "test",
        kept.epoch,
    )
    Image.fromarray(picture).save(folder / CURVE_NAME)


def write_model_card(
    folder: Path,
    recipe: Recipe,
    model: PoolFormerForImageClassification,
    kept: EpochResult,
    metrics: dict[str, Any],
    start: Checkpoint | None,
) -> None:
    """Writes `folder`/README.md: what the model is, the command that made it, what it scored, on what data."""
    config, data = model.config, metrics["dataset"]
    parameters = sum(p.numel() for p in model.parameters())
    labels = ", ".join(config.labels[:20]) + (", ..." if config.num_labels > 20 else "")
    kind = "PoolFormer" if config.token_mixer == POOLING else f"MetaFormer with the token mixer {config.token_mixer}"
    title = f"a {kind} trained on {data}" if start is None else f"{start.name} fine-tuned on {data}"
    origin = "random weights" if start is None else f"the weights of {_origin(start)}, with a new head"
    card = f"""---
pipeline_tag: image-classification
tags: [poolformer, metaformer]
{_base_model(start)}---

# {recipe.name}: {title}

| | |
|---|---|
| depths | {_row(config.depths)} |
| hidden sizes | {_row(config.hidden_sizes)} |
| patch sizes, strides | {_row(config.patch_sizes)}; {_row(config.strides)} |
| input | {recipe.image_size_px} x {recipe.image_size_px} pixels, RGB |
| parameters | {parameters:,} |
| {data}, {metrics["split"]} split ({metrics["images"]:,} pictures), top-1 | {metrics["top1"]:.2f}% |
| labels | {labels} |

Trained on {metrics["date"]}, from {origin}, by

```
{metrics["command"]}
```

with {recipe.epochs} epochs over {metrics["train_images"]:,} pictures. {_choice(kept, metrics)}

Measure the accuracy again with the following, where CHECKPOINT is the folder of this card:

```
python -m poolformer evaluate --data DIR --checkpoint CHECKPOINT
```

![Training loss and accuracy of every epoch]({CURVE_NAME})

It knows the labels above and nothing else: whatever the picture shows, it answers with one of them.

Data: {data}. {metrics["citation"]}
"""
    (folder / CARD_NAME).write_text(card.rstrip() + "\n", encoding="utf-8")


def _choice(kept: EpochResult, metrics: dict[str, Any]) -> str:
    """Which epoch's weights these are, and that the test split had no part in that."""
    if kept.validation_top1 is None:
        return "The weights are those of the last epoch: none was chosen by its test accuracy."
    return (
        f"The weights are those of epoch {kept.epoch}, the best on {metrics['validation_images']:,} other pictures of "
        f"the training split ({kept.validation_top1:.2f}%): none was chosen by its test accuracy."
    )


def _origin(start: Checkpoint) -> str:
    repository = _repository(start)
    return start.name if repository in ("", start.name) else f"{start.name} ({repository})"


def _base_model(start: Checkpoint | None) -> str:
    """The line by which the Hub links a model to the one that it was made from; empty where there is no such page."""
    repository = "" if start is None else _repository(start)
    return f"base_model: {repository}\n" if repository else ""


def _repository(start: Checkpoint) -> str:
    """The Hub repository of a checkpoint that came from one."""
    if start.source not in ("cache", "hub"):
        return ""
    return VARIANTS[start.name].hub_id if start.name in VARIANTS else start.name


def _row(values: Any) -> str:
    return ", ".join(str(value) for value in values)
