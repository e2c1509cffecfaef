"""From a name to a ready model: bundled, from the cache, from the Hub, or from a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import Literal

import torch

from poolformer.errors import UnknownVariantError, WeightsError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.nn.assembly import give_weights
from poolformer.nn.cost import parameter_count
from poolformer.weights import variants
from poolformer.weights.files import CheckpointFiles, find_files, read_json, read_tensors
from poolformer.weights.fitting import refuse_mismatches
from poolformer.weights.hub import cached_folder, open_snapshot
from poolformer.weights.variants import BUNDLED_NAME, VARIANT_NAMES, VARIANTS, Variant

Source = Literal["bundled", "cache", "hub", "folder"]

BYTES_A_PARAMETER = 4  # float32, as all five are published


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
    cancelled: Event | None = None,
) -> Checkpoint:
    """The checkpoint under `name`: a variant of the table, or a folder with config.json and weights.

    A string that is a row of the table means that row, even where a folder has the same name; a `Path` always means a
    folder. A string from a stranger should be checked against the table first: it might name a folder.

    Cache first, network second: tiny, folders and whatever is in the Hub's cache open without one network call. Only a
    published variant that is not in the cache, or is damaged there, is fetched, with a progress bar a file; a fetch
    that cannot succeed says so within 5 seconds, one that stalls within a minute. `cache_dir`, `token` and `endpoint`
    default to what huggingface_hub would use (HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT); `local_files_only` forbids the
    fetch, and setting `cancelled` from another thread ends it.

    Raises:
        UnknownVariantError: neither a row of the table nor a folder.
        HubUnreachableError: not in the cache, and the Hub cannot be asked, is busy or does not answer.
        WeightsError: files are missing, refused, damaged, or do not fit the config; or the fetch was cancelled.
        ConfigError: the config describes no network that this library builds.
    """
    folder, source = _locate(name, cache_dir, token, local_files_only, endpoint, cancelled)
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


def usable_names(cache_dir: Path | None = None) -> list[str]:
    """The variants that need no network now: the bundled one and those in the cache."""
    cached = [row.name for row in VARIANTS.values() if cached_folder(row.hub_id, cache_dir=cache_dir)]
    return [BUNDLED_NAME, *cached]


@lru_cache(maxsize=len(VARIANTS))
def _download_bytes(name: str) -> int:
    """Size of the weights; the two JSON files beside them are a few kB."""
    return BYTES_A_PARAMETER * parameter_count(VARIANTS[name].config())


def _locate(
    name: str | Path,
    cache_dir: Path | None,
    token: str | bool | None,
    local_files_only: bool,
    endpoint: str | None,
    cancelled: Event | None,
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
    snapshot = open_snapshot(
        row.hub_id,
        cache_dir=cache_dir,
        token=token,
        endpoint=endpoint,
        local_files_only=local_files_only,
        cancelled=cancelled,
        title=row.name,
        hint=lambda: f"meanwhile you can use {' and '.join(usable_names(cache_dir))}; ",
    )
    return snapshot.folder, "cache" if snapshot.from_cache else "hub"


def build_model(config: PoolFormerConfig, tensors: dict[str, torch.Tensor]) -> PoolFormerForImageClassification:
    """The classifier with exactly these weights, as float32, in evaluation mode, without gradients.

    The network is laid out without memory and then given the tensors themselves, so that no time goes into random
    weights. Every key and shape has to fit.

    Raises:
        WeightsError: keys are missing, unexpected, or of another shape; the sentence names the first few.
    """
    with torch.device("meta"):
        model = PoolFormerForImageClassification(config)
    refuse_mismatches(tensors, model.state_dict())
    give_weights(model, {key: tensor.float() for key, tensor in tensors.items()})
    return model.eval().requires_grad_(False)


def _build_processor(files: CheckpointFiles, row: Variant | None) -> PoolFormerImageProcessorPil:
    """The processor that the checkpoint describes; without a description, the variant's crop and the defaults."""
    if files.preprocessor is not None:
        return PoolFormerImageProcessorPil.from_dict(read_json(files.preprocessor))
    return PoolFormerImageProcessorPil.from_dict({} if row is None else {"crop_pct": row.crop_pct})
