"""PoolFormerConfig: the numbers that define a PoolFormer, read from and written to Hugging Face's config.json."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poolformer.errors import ConfigError
from poolformer.nn.activations import ACTIVATIONS

CONFIG_NAME = "config.json"
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")
STAGE_FIELDS = ("depths", "hidden_sizes", "patch_sizes", "strides", "padding")


@dataclass
class PoolFormerConfig:
    """Everything needed to build a PoolFormer, with the field names and defaults of `transformers`.

    The defaults are the s12 variant of *MetaFormer Is Actually What You Need for Vision* (arXiv:2111.11418), table 1.
    Lists have one entry a stage. `patch_size` and `stride` are stored because published files carry them; the network
    reads `patch_sizes` and `strides`. Keys of a config.json that this class does not know are kept in `extra` and
    written back unchanged.

    Units: `patch_sizes`, `strides` and `padding` are pixels of the stage's input; `mlp_ratio` is hidden channels of the
    channel MLP per channel; `drop_path_rate` is the probability of dropping the last block's branches in training.

    Raises:
        ConfigError: a field that no network can be built from, by field, value and what is allowed.

    >>> config = PoolFormerConfig(num_labels=10)
    >>> config.hidden_sizes, config.num_labels
    ([64, 128, 320, 512], 10)
    """

    num_channels: int = 3
    patch_size: int | list[int] = 16
    stride: int = 16
    pool_size: int = 3
    mlp_ratio: float = 4.0
    depths: Sequence[int] = (2, 2, 6, 2)
    hidden_sizes: Sequence[int] = (64, 128, 320, 512)
    patch_sizes: Sequence[int] = (7, 3, 3, 3)
    strides: Sequence[int] = (4, 2, 2, 2)
    padding: Sequence[int] = (2, 1, 1, 1)
    num_encoder_blocks: int = 4
    drop_path_rate: float = 0.0
    hidden_act: str = "gelu"
    use_layer_scale: bool = True
    layer_scale_init_value: float = 1e-5
    initializer_range: float = 0.02
    id2label: dict[int, str] | None = None
    label2id: dict[str, int] | None = None
    problem_type: str | None = None
    output_hidden_states: bool = False
    return_dict: bool = True
    num_labels: int = None  # type: ignore[assignment]  # a property, below: the number of entries in id2label
    extra: dict[str, Any] = field(default_factory=dict)

    model_type = "poolformer"

    def __post_init__(self) -> None:
        for name in STAGE_FIELDS:
            setattr(self, name, self._listed(name))
        if self.label2id is None:
            self.label2id = {label: index for index, label in enumerate(self.labels)}
        self.validate()

    def _listed(self, name: str) -> list[int]:
        value = getattr(self, name)
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ConfigError(f"{name} is {value!r}; it must be a list with one number a stage.")
        return list(value)

    def validate(self) -> None:
        """Checks every field; a ConfigError names the first one that no network can be built from."""
        if not _is_count(self.num_encoder_blocks):
            _refuse("num_encoder_blocks", self.num_encoder_blocks, "a whole number of at least 1")
        for name in STAGE_FIELDS:
            values, least = getattr(self, name), 0 if name in ("padding", "depths") else 1
            if len(values) != self.num_encoder_blocks or not all(_is_count(v, least) for v in values):
                allowed = f"{self.num_encoder_blocks} whole numbers (num_encoder_blocks) of at least {least}"
                _refuse(name, values, allowed)
        if not _is_count(self.num_channels):
            _refuse("num_channels", self.num_channels, "a whole number of at least 1")
        if not _is_count(self.pool_size) or self.pool_size % 2 == 0:
            _refuse("pool_size", self.pool_size, "an odd whole number, so that pooling keeps the height and width")
        for name in ("layer_scale_init_value", "initializer_range"):
            if not _is_number(getattr(self, name)) or getattr(self, name) < 0:
                _refuse(name, getattr(self, name), "a finite number of at least 0")
        if not _is_number(self.mlp_ratio) or min(self.hidden_sizes) * self.mlp_ratio < 1:
            _refuse("mlp_ratio", self.mlp_ratio, "a positive number that leaves every channel MLP at least 1 channel")
        if not _is_number(self.drop_path_rate) or not 0 <= self.drop_path_rate < 1:
            _refuse("drop_path_rate", self.drop_path_rate, "a probability of at least 0 and below 1")
        if self.hidden_act not in ACTIVATIONS:
            _refuse("hidden_act", self.hidden_act, "one of " + ", ".join(sorted(ACTIVATIONS)))
        if self.problem_type is not None and self.problem_type not in PROBLEM_TYPES:
            _refuse("problem_type", self.problem_type, "null or one of " + ", ".join(PROBLEM_TYPES))

    @property
    def labels(self) -> list[str]:
        """The label of each row of the classifier, in order; `LABEL_i` where id2label has a gap."""
        names = self.id2label or {}
        return [names.get(i, f"LABEL_{i}") for i in range(len(names))]

    def to_dict(self) -> dict[str, Any]:
        """The whole configuration as config.json holds it: known fields, `model_type` and the keys kept in `extra`."""
        known = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("extra", "num_labels")
        }
        known["id2label"] = {str(index): label for index, label in (self.id2label or {}).items()}
        return {**self.extra, **known, "model_type": self.model_type}

    def to_json_string(self) -> str:
        """`to_dict` as indented JSON with sorted keys and a final newline."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, directory: str | Path) -> None:
        """Writes `directory`/config.json, creating the directory."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_NAME).write_text(self.to_json_string(), encoding="utf-8")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **overrides: Any) -> PoolFormerConfig:
        """The configuration that a parsed config.json describes; `overrides` replace single fields.

        Raises:
            ConfigError: another `model_type`, or a field that no network can be built from.
        """
        values = {**values, **overrides}
        model_type = values.pop("model_type", cls.model_type)
        if model_type != cls.model_type:
            raise ConfigError(f"model_type is {model_type!r}; this library opens {cls.model_type!r} checkpoints.")
        names = {f.name for f in dataclasses.fields(cls)} - {"extra"}
        extra = {key: value for key, value in values.items() if key not in names}
        return cls(**{key: value for key, value in values.items() if key in names}, extra=extra)

    @classmethod
    def from_json_file(cls, path: str | Path) -> PoolFormerConfig:
        """The configuration in a config.json file.

        Raises:
            ConfigError: the file is not JSON, or describes no PoolFormer.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{Path(path).name} is not valid JSON ({error}).") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{Path(path).name} holds a JSON {type(values).__name__}; it must hold an object.")
        return cls.from_dict(values)


def _count_labels(config: PoolFormerConfig) -> int:
    """Rows of the classifier."""
    return len(config.id2label or {})


def _resize_labels(config: PoolFormerConfig, count: int | None) -> None:
    """Names `count` labels LABEL_0, LABEL_1, ... unless that many are named already; None keeps them, or names two."""
    if config.id2label is not None:
        config.id2label = {int(index): str(label) for index, label in config.id2label.items()}
    elif count is None:
        count = 2
    if count is not None and count != _count_labels(config):
        config.id2label = {i: f"LABEL_{i}" for i in range(count)}
        config.label2id = {f"LABEL_{i}": i for i in range(count)}


# Attached here because a dataclass takes a property in its body for the field's default value.
PoolFormerConfig.num_labels = property(_count_labels, _resize_labels)  # type: ignore[assignment]


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _refuse(name: str, value: Any, allowed: str) -> None:
    raise ConfigError(f"{name} is {value!r}; it must be {allowed}.")
