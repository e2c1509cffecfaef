"""From a name to a ready model: bundled, from the cache, from the Hub, or from a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch

from poolformer.errors import HubUnreachableError, UnknownVariantError, WeightsError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.nn.model import PoolFormerLayer
from poolformer.weights import variants
from poolformer.weights.files import CheckpointFiles, find_files, read_json, read_tensors
from poolformer.weights.hub import cached_folder, fetch_folder, usable_names
from poolformer.weights.variants import BUNDLED_NAME, VARIANT_NAMES, VARIANTS, Variant

Source = Literal["bundled", "cache", "hub", "folder"]

BYTES_A_PARAMETER = 4  # float32, as all five are published
NAMED_KEYS = 3  # how many keys of each kind an error names: enough to see the pattern, few enough for a sentence


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model that is ready to classify, and what belongs to it.

    `model` is in evaluation mode, float32, on the CPU, and no parameter requires a gradient. `processor` makes its
    `pixel_values`; `labels` has one entry a row of the classifier, as the checkpoint's config names them. `source` says
    where the files came from this time.
    """

    name: str
    model: PoolFormerForImageClassification
    processor: PoolFormerImageProcessorPil
    labels: tuple[str, ...]
    source: Source


@dataclass(frozen=True)
class Availability:
    """Whether a variant can be used at once; `download_bytes` is what a fetch would take, 0 unless it is remote."""

    state: Literal["bundled", "cached", "remote"]
    download_bytes: int = 0


def load_checkpoint(
    name: str | Path,
    *,
    cache_dir: Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    endpoint: str | None = None,
) -> Checkpoint:
    """The checkpoint under `name`: a variant of the table, or a folder with config.json and weights.

    A string that is a row of the table means that row, even where a folder has the same name; a `Path` always means a
    folder. A string from a stranger should be checked against the table first: it might name a folder.

    Cache first, network second: tiny, folders and whatever is in the Hub's cache open without one network call. Only a
    published variant that is not in the cache is fetched, with a progress bar a file; a fetch that cannot succeed says
    so within 5 seconds. `cache_dir`, `token` and `endpoint` default to what huggingface_hub would use (HF_HUB_CACHE,
    HF_TOKEN, HF_ENDPOINT); `local_files_only` forbids the fetch.

    Raises:
        UnknownVariantError: neither a row of the table nor a folder.
        HubUnreachableError: not in the cache, and the Hub cannot be asked or does not answer.
        WeightsError: files are missing, refused, damaged, or do not fit the config.
        ConfigError: the config describes no network that this library builds.
    """
    folder, source = _locate(name, cache_dir, token, local_files_only, endpoint)
    files = find_files(folder)
    if files is None:
        raise WeightsError(
            f"{folder.name} holds no checkpoint; it needs config.json and model.safetensors or pytorch_model.bin."
        )
    model = build_model(PoolFormerConfig.from_dict(read_json(files.config)), read_tensors(files.weights))
    row = None if source == "folder" else VARIANTS.get(str(name))
    return Checkpoint(
        name=folder.name if source == "folder" else str(name),
        model=model,
        processor=_build_processor(files, row),
        labels=tuple(model.config.labels),
        source=source,
    )


def availability(name: str, *, cache_dir: Path | None = None) -> Availability:
    """Whether the variant is bundled, cached or remote, from a few look-ups in the file system; no network.

    Raises:
        UnknownVariantError: no such row in the table.
    """
    if name == BUNDLED_NAME:
        return Availability("bundled")
    if cached_folder(variants.variant(name).hub_id, cache_dir=cache_dir):
        return Availability("cached")
    return Availability("remote", _download_bytes(name))


@lru_cache(maxsize=len(VARIANTS))
def _download_bytes(name: str) -> int:
    """Size of the weights; the two JSON files beside them are a few kB."""
    return BYTES_A_PARAMETER * variants.parameter_count(VARIANTS[name].config())


def _locate(
    name: str | Path, cache_dir: Path | None, token: str | bool | None, local_files_only: bool, endpoint: str | None
) -> tuple[Path, Source]:
    """The folder that holds the files of `name`, fetched if need be, and where it came from."""
    if name == BUNDLED_NAME:
        return variants.BUNDLED_DIR / BUNDLED_NAME, "bundled"
    row = VARIANTS.get(name) if isinstance(name, str) else None
    if row is None:
        if not os.path.isdir(name):  # Unlike Path.is_dir, False for any string at all that is no folder.
            allowed = ", ".join(VARIANT_NAMES)
            raise UnknownVariantError(f"There is no variant or folder {str(name)!r}; choose {allowed}, or a folder.")
        return Path(name).resolve(), "folder"
    cached = cached_folder(row.hub_id, cache_dir=cache_dir)
    if cached is not None:
        return cached, "cache"
    if local_files_only:
        usable = " and ".join(usable_names(cache_dir))
        raise HubUnreachableError(
            f"{name} is not in the cache and local_files_only forbids fetching it; you can use {usable}, or allow it."
        )
    return fetch_folder(row.name, cache_dir=cache_dir, token=token, endpoint=endpoint), "hub"


def build_model(config: PoolFormerConfig, tensors: dict[str, torch.Tensor]) -> PoolFormerForImageClassification:
    """The classifier with exactly these weights, as float32, in evaluation mode, without gradients.

    The network is laid out without memory and then given the tensors themselves, so that no time goes into random
    weights. Every key and shape has to fit.

    Raises:
        WeightsError: keys are missing, unexpected, or of another shape; the sentence names the first few.
    """
    with torch.device("meta"):
        model = PoolFormerForImageClassification(config)
    mismatches = _mismatches(model.state_dict(), tensors)
    if mismatches:
        raise WeightsError(
            f"The weights do not fit their config.json: {mismatches}; use the two that were saved together."
        )
    model.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, assign=True)
    if not config.use_layer_scale:
        _fill_layer_scales(model)
    return model.eval().requires_grad_(False)


def _fill_layer_scales(model: PoolFormerForImageClassification) -> None:
    """Gives memory to scales of one, which are not in a state dict and so are still without."""
    for block in model.modules():
        if isinstance(block, PoolFormerLayer):
            block.layer_scale_1 = torch.ones_like(block.layer_scale_1, device="cpu")
            block.layer_scale_2 = torch.ones_like(block.layer_scale_2, device="cpu")


def _mismatches(expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> str:
    """What keeps `found` from being a state dict like `expected`, as part of a sentence; empty if nothing does."""
    shapes = [
        f"{key} {tuple(found[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in found and found[key].shape != tensor.shape
    ]
    kinds = {
        "missing": [key for key in expected if key not in found],
        "unexpected": [key for key in found if key not in expected],
        "of another shape": shapes,
    }
    return "; ".join(f"{len(keys)} {kind} ({_first_few(keys)})" for kind, keys in kinds.items() if keys)


def _first_few(keys: list[str]) -> str:
    return ", ".join(keys[:NAMED_KEYS]) + (", ..." if len(keys) > NAMED_KEYS else "")


def _build_processor(files: CheckpointFiles, row: Variant | None) -> PoolFormerImageProcessorPil:
    """The processor that the checkpoint describes; without a description, the variant's crop and the defaults."""
    if files.preprocessor is not None:
        return PoolFormerImageProcessorPil.from_dict(read_json(files.preprocessor))
    return PoolFormerImageProcessorPil.from_dict({} if row is None else {"crop_pct": row.crop_pct})
