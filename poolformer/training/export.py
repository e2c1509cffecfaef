"""What a finished run leaves behind: a checkpoint that either library opens, its measured accuracy and a model card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerForImageClassification
from poolformer.training.recipe import Recipe

METRICS_NAME = "metrics.json"
WEIGHTS_NAME = "model.safetensors"


def export_checkpoint(
    model: PoolFormerForImageClassification, processor: PoolFormerImageProcessorPil, folder: Path
) -> None:
    """Writes config.json, model.safetensors (float32) and preprocessor_config.json into `folder`."""
    model.config.extra["architectures"] = ["PoolFormerForImageClassification"]
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    weights = {key: value.float().cpu().contiguous() for key, value in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS_NAME, metadata={"format": "pt"})


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Writes `folder`/metrics.json."""
    (folder / METRICS_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def write_model_card(
    folder: Path, recipe: Recipe, model: PoolFormerForImageClassification, metrics: dict[str, Any]
) -> None:
    """Writes `folder`/README.md: what the model is, the command that made it, what it scored, on what data."""
    config = model.config
    parameters = sum(p.numel() for p in model.parameters())
    data, citation = metrics["dataset"], recipe.dataset.get("citation", "")
    labels = ", ".join(config.labels[:20]) + (", ..." if config.num_labels > 20 else "")
    card = f"""---
pipeline_tag: image-classification
tags: [poolformer, metaformer]
---

# {recipe.name}: a PoolFormer trained on {data}

| | |
|---|---|
| depths | {_row(config.depths)} |
| hidden sizes | {_row(config.hidden_sizes)} |
| patch sizes, strides | {_row(config.patch_sizes)}; {_row(config.strides)} |
| input | {recipe.image_size_px} x {recipe.image_size_px} pixels, RGB |
| parameters | {parameters:,} |
| {data}, {metrics["split"]} split ({metrics["images"]:,} pictures), top-1 | {metrics["top1"]:.2f}% |
| labels | {labels} |

Trained on {metrics["date"]}, from random weights, by

```
{metrics["command"]}
```

with {recipe.epochs} epochs over {metrics["train_images"]:,} pictures. The weights are those of the last epoch: none was
chosen by its test accuracy. Measure the accuracy again with

```
python -m poolformer evaluate --data DIR --checkpoint {folder.as_posix()}
```

It knows the labels above and nothing else: whatever the picture shows, it answers with one of them.

Data: {data}. {citation}
"""
    (folder / "README.md").write_text(card, encoding="utf-8")


def _row(values: Any) -> str:
    return ", ".join(str(value) for value in values)
