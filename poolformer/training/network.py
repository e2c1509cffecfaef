"""What a run starts with: a network with random weights, or a checkpoint's network with a new head."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from typing import Any

from poolformer.errors import ConfigError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.training.data import crop_size_px
from poolformer.training.optimizers import HEAD_PREFIX
from poolformer.training.recipe import Recipe, load_recipe
from poolformer.weights.checkpoint import Checkpoint, load_checkpoint
from poolformer.weights.hub import fetch_snapshot
from poolformer.weights.variants import VARIANT_NAMES

FREE_FIELDS = {"drop_path_rate"}  # of an architecture: what a recipe may change without touching a weight's shape
# Keys in the config of a checkpoint that are untrue of its successor: where it came from and how it was stored.
STALE_KEYS = ("_name_or_path", "dtype", "torch_dtype", "transformers_version")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")  # owner/name


def open_start(name: str) -> Checkpoint:
    """The checkpoint to start from: a variant, a folder, or any repository of the Hub as owner/name.

    Raises:
        WeightsError: no such checkpoint, or it cannot be fetched or read.
    """
    if name in VARIANT_NAMES or os.path.isdir(name) or not REPOSITORY.fullmatch(name):
        return load_checkpoint(name)
    return dataclasses.replace(load_checkpoint(fetch_snapshot(name)), name=name, source="hub")


def choose_recipe(name: str | None, checkpoint: Checkpoint | None, **overrides: Any) -> Recipe:
    """The recipe of that name; None means finetune for a checkpoint, and tiny without one.

    Without an image_size_px of its own, a recipe takes the checkpoint's.

    Raises:
        ConfigError: no such recipe, one that cannot be used, or one with another architecture than the checkpoint's.
    """
    if checkpoint is None:
        return load_recipe(name or "tiny", **overrides)
    fallback = {"image_size_px": min(crop_size_px(checkpoint.processor))}
    recipe = load_recipe(name or "finetune", fallback, **overrides)
    fixed = sorted(recipe.architecture.keys() - FREE_FIELDS)
    if fixed:
        raise ConfigError(
            f"The recipe {recipe.name} has an architecture of its own ({', '.join(fixed)}); a run that starts from "
            "a checkpoint keeps the checkpoint's, so use another recipe, or leave out --init."
        )
    return recipe


def build_processor(recipe: Recipe, checkpoint: Checkpoint | None) -> PoolFormerImageProcessorPil:
    """The checkpoint's processor, at the recipe's size; without one, a processor that crops no margin (crop_pct 1)."""
    size = recipe.image_size_px
    square: dict[str, Any] = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
    if checkpoint is None:
        return PoolFormerImageProcessorPil(**square, crop_pct=1.0)
    if size == min(crop_size_px(checkpoint.processor)):
        return checkpoint.processor
    return dataclasses.replace(checkpoint.processor, **square)


def build_network(
    recipe: Recipe, classes: Sequence[str], checkpoint: Checkpoint | None
) -> PoolFormerForImageClassification:
    """A classifier with one label a class: the recipe's, or the checkpoint's stages and final norm with a new head.

    What is not the checkpoint's is drawn from torch's global random numbers.

    Raises:
        ConfigError: the network does not take RGB pictures, or cannot be built.
    """
    stored = {} if checkpoint is None else _lasting(checkpoint.model.config)
    labels = {"id2label": dict(enumerate(classes)), "label2id": {name: i for i, name in enumerate(classes)}}
    config = PoolFormerConfig.from_dict({**stored, **recipe.architecture, **labels, "problem_type": None})
    if config.num_channels != 3:
        raise ConfigError(f"num_channels is {config.num_channels}; pictures are read as RGB, so it must be 3.")
    model = PoolFormerForImageClassification(config)
    if checkpoint is not None:
        kept = {key: value for key, value in checkpoint.model.state_dict().items() if not key.startswith(HEAD_PREFIX)}
        head = {key: value for key, value in model.state_dict().items() if key.startswith(HEAD_PREFIX)}
        model.load_state_dict({**kept, **head})
    return model


def _lasting(config: PoolFormerConfig) -> dict[str, Any]:
    return {key: value for key, value in config.to_dict().items() if key not in STALE_KEYS}
