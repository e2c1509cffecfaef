"""The tensors in a file of weights. Data, never code."""

from __future__ import annotations

import pickle
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from poolformer.errors import WeightsError


def read_tensors(path: Path, *, wrapped_in: str | None = None) -> dict[str, torch.Tensor]:
    """The state dict in a .safetensors file, or in a pickle of nothing but tensors; on the CPU, dtypes as stored.

    Code in a pickle is not run: only tensors and plain containers are rebuilt (`torch.load(weights_only=True)`). With
    `wrapped_in`, the pickle may also be a training checkpoint that has the state dict under this key; then, and for its
    settings, `argparse.Namespace` is rebuilt too, which holds values and runs nothing.

    Raises:
        WeightsError: the file is damaged, or holds anything but named tensors.
    """
    try:
        tensors: Any = load_file(path) if path.suffix == ".safetensors" else _unpickle(path, wrapped_in is not None)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name} was refused and nothing in it was run, because it holds more than plain tensors; "
            "use a copy from a source you trust, best as model.safetensors."
        ) from error
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path.name} is damaged or incomplete ({reason}); delete it and fetch or copy it again."
        ) from error
    if isinstance(tensors, dict) and wrapped_in in tensors:
        tensors = tensors[wrapped_in]
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in tensors.items()
    ):
        raise WeightsError(f"{path.name} holds something else than named tensors; use the file that was saved with it.")
    return tensors


def _unpickle(path: Path, is_training_checkpoint: bool) -> Any:
    with torch.serialization.safe_globals([Namespace]) if is_training_checkpoint else nullcontext():
        return torch.load(path, map_location="cpu", weights_only=True)
