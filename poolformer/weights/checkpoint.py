"""From a name to a ready model: bundled, from the cache, from the Hub, or from a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal, TypeVar

import torch

from poolformer.errors import UnknownVariantError, WeightsError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.nn.assembly import give_weights
from poolformer.weights import variants
from poolformer.weights.availability import usable_names
from poolformer.weights.files import WEIGHTS_NAMES, CheckpointFiles, find_files, read_json
from poolformer.weights.fitting import refuse_mismatches
from poolformer.weights.hub import cached_folder, open_snapshot
from poolformer.weights.integrity import hashed_meanwhile
from poolformer.weights.tensors import read_tensors
from poolformer.weights.variants import BUNDLED_NAME, VARIANT_NAMES, VARIANTS, Variant

Source = Literal["bundled", "cache", "hub", "folder"]

_T = TypeVar("_T")


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
    return load_as(
        name,
        lambda checkpoint: checkpoint,
        cache_dir=cache_dir,
        token=token,
        local_files_only=local_files_only,
        endpoint=endpoint,
        cancelled=cancelled,
    )


def load_as(
    name: str | Path,
    make: Callable[[Checkpoint], _T],
    *,
    cache_dir: Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    endpoint: str | None = None,
    cancelled: Event | None = None,
) -> _T:
    """What `make` makes of the checkpoint that `load_checkpoint` would give; raises what either raises.

    A checkpoint in the cache is read and made while another thread hashes its weights. What was made of weights that
    then turn out to be damaged is thrown away, and `make` is called again with those that are fetched: it must not keep
    what it is given.
    """
    if name == BUNDLED_NAME:
        return make(_open(variants.BUNDLED_DIR / BUNDLED_NAME, BUNDLED_NAME, "bundled"))
    row = VARIANTS.get(name) if isinstance(name, str) else None
    if row is None:
        folder = _folder(name)
        return make(_open(folder, folder.name, "folder"))
    ahead = cached_folder(row.hub_id, cache_dir=cache_dir)
    made = None if ahead is None else _make_while_hashing(ahead, row, make)
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
    if made is not None and snapshot.from_cache and snapshot.folder == ahead:
        return made
    return make(_open(snapshot.folder, row.name, "cache" if snapshot.from_cache else "hub", row))


def _make_while_hashing(folder: Path, row: Variant, make: Callable[[Checkpoint], _T]) -> _T | None:
    """What `make` makes of the cached files in `folder`, intact or not; their hash is known when this returns.

    None where it fails, as it may with damaged files. What is wrong is told by the call that knows that they are not.
    """
    weights = [folder / name for name in WEIGHTS_NAMES if (folder / name).is_file()]
    with hashed_meanwhile(weights), suppress(Exception):
        return make(_open(folder, row.name, "cache", row))
    return None


def _open(folder: Path, name: str, source: Source, row: Variant | None = None) -> Checkpoint:
    """The checkpoint in a folder; `row` has the crop where no file has it."""
    files = find_files(folder)
    if files is None:
        raise WeightsError(
            f"{folder.name} holds no checkpoint; it needs config.json and model.safetensors or pytorch_model.bin."
        )
    model = build_model(PoolFormerConfig.from_dict(read_json(files.config)), read_tensors(files.weights))
    return Checkpoint(name, model, _build_processor(files, row), tuple(model.config.labels), source)


def _folder(name: str | Path) -> Path:
    """The folder that `name` means.

    Raises:
        UnknownVariantError: there is none.
    """
    if not os.path.isdir(name):  # Unlike Path.is_dir, False for any string at all that is no folder.
        allowed = ", ".join(VARIANT_NAMES)
        raise UnknownVariantError(f"There is no variant or folder {str(name)!r}; choose {allowed}, or a folder.")
    return Path(name).resolve()


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
