"""How config.json holds a config: as `transformers` does, or, with a token mixer that it lacks, so that it refuses.

`transformers` knows no mixer but pooling. It keeps keys that it does not know and only warns of another model_type, so
it would build pooling where a file says, say, attention, and run it. Therefore a file with another mixer has

- the model_type "metaformer", which its Auto classes do not know, and which its PoolFormer classes warn of;
- null as `pool_size`, which its PoolFormer classes do not take. The window of a convolution is in `kernel_size`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poolformer.errors import ConfigError

POOLFORMER, METAFORMER = "poolformer", "metaformer"  # the two model_types
POOLING, CONVOLUTION = "pooling", "convolution"  # the token mixers that have a window
REFUSAL = "token_mixer is %r, and transformers has pooling only: it refuses this config.json; open it with this library"


def to_file(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a config as config.json holds them, with the `model_type`.

    `token_mixer` and `image_size` are left out where they are the default, so that a PoolFormer's file has the keys
    that it has in `transformers`.
    """
    values = {name: value for name, value in fields.items() if (name, value) != ("image_size", None)}
    if values["token_mixer"] == POOLING:
        del values["token_mixer"]
        return {**values, "model_type": POOLFORMER}
    if values["token_mixer"] == CONVOLUTION:
        values["kernel_size"] = values["pool_size"]
    return {**values, "pool_size": None, "model_type": METAFORMER}


def from_file(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `to_file`, but for the `model_type`; values of any other form are left as they are."""
    values = dict(values)
    token_mixer = values.get("token_mixer", POOLING)
    if token_mixer == POOLING or values.get("pool_size", 0) is not None:
        return values
    if "kernel_size" in values:
        values["pool_size"] = values.pop("kernel_size")
    elif token_mixer != CONVOLUTION:  # It has no window, so any will do: the default.
        del values["pool_size"]
    return values


def check_model_type(model_type: str, names: Mapping[str, Any]) -> None:
    """Checks that a config of this `model_type` and with fields of these names is this library's.

    Raises:
        ConfigError: it is another's; "metaformer" is ours only where the token mixer is named.
    """
    if model_type != POOLFORMER and (model_type != METAFORMER or "token_mixer" not in names):
        raise ConfigError(
            f"model_type is {model_type!r}; this library opens {POOLFORMER!r} checkpoints, and {METAFORMER!r} ones of "
            "its own, which name their token_mixer."
        )


def read_file(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ConfigError: the file is missing, is not JSON, or holds no object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"There is no readable {path.name} in {path.parent}; give one that is there.") from error
    except ValueError as error:
        raise ConfigError(f"{path.name} is not valid JSON ({error}).") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path.name} holds a JSON {type(values).__name__}; it must hold an object.")
    return values
