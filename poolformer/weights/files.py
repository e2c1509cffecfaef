"""What a checkpoint is on disk: a folder with a config, weights and perhaps a preprocessor config."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from poolformer.errors import WeightsError
from poolformer.nn.config import CONFIG_NAME

PREPROCESSOR_NAME = "preprocessor_config.json"
WEIGHTS_NAMES = ("model.safetensors", "pytorch_model.bin")  # in order of preference

Part = Literal["config", "preprocessor", "weights"]
PARTS: tuple[Part, ...] = ("config", "preprocessor", "weights")
NAMES: dict[Part, tuple[str, ...]] = {
    "config": (CONFIG_NAME,),
    "preprocessor": (PREPROCESSOR_NAME,),
    "weights": WEIGHTS_NAMES,
}


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of one checkpoint; `preprocessor` is None where there is none."""

    config: Path
    weights: Path
    preprocessor: Path | None


def find_files(folder: Path) -> CheckpointFiles | None:
    """The checkpoint in `folder`, model.safetensors before pytorch_model.bin; None without a config or weights."""
    weights = next((folder / name for name in WEIGHTS_NAMES if (folder / name).is_file()), None)
    if weights is None or not (folder / CONFIG_NAME).is_file():
        return None
    preprocessor = folder / PREPROCESSOR_NAME
    return CheckpointFiles(folder / CONFIG_NAME, weights, preprocessor if preprocessor.is_file() else None)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        WeightsError: the file is missing, unreadable, or holds no JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read ({error.strerror}); restore it beside the weights.") from error
    except ValueError as error:
        raise WeightsError(f"{path.name} is not valid JSON ({error}); restore or fetch it again.") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path.name} holds a JSON {type(values).__name__}; it must hold an object.")
    return values
