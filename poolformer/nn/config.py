"""PoolFormerConfig: the numbers that define a PoolFormer, read from and written to Hugging Face's config.json."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Self, TypeVar

from poolformer.errors import ConfigError
from poolformer.nn import checks, config_file
from poolformer.nn.config_file import POOLFORMER, POOLING

CONFIG_NAME = "config.json"
# Keys that `transformers` writes for every kind of model, and that no PoolFormer reads.
COMMON_KEYS = (
    "_name_or_path",
    "architectures",
    "chunk_size_feed_forward",
    "dtype",
    "is_encoder_decoder",
    "output_attentions",
    "torch_dtype",
    "transformers_version",
)

_C = TypeVar("_C", bound="PoolFormerConfig")

logger = logging.getLogger(__name__)


def _keeping_common_keys(config_class: type[_C]) -> type[_C]:
    """Lets a config be made with the keys of `transformers` that it does not read; they go into `extra`."""
    make = config_class.__init__

    @wraps(make)
    def __init__(self: _C, *args: Any, model_type: str = POOLFORMER, **values: Any) -> None:  # noqa: N807
        config_file.check_model_type(model_type, values)
        values = config_file.from_file(values)
        common = {key: values.pop(key) for key in COMMON_KEYS if key in values}
        _check_names(values)
        make(self, *args, **{**values, "extra": {**common, **(values.get("extra") or {})}})

    config_class.__init__ = __init__  # type: ignore[assignment]
    return config_class


@_keeping_common_keys
@dataclass(eq=False)
class PoolFormerConfig:
    """Everything needed to build a PoolFormer, with the field names and defaults of `transformers`.

    The defaults are the s12 variant of *MetaFormer Is Actually What You Need for Vision* (arXiv:2111.11418), table 1.
    Lists have one entry a stage. `patch_size` and `stride` are stored because published files carry them; the network
    reads `patch_sizes` and `strides`. `num_labels` is the length of `id2label`; giving another number names the labels
    LABEL_0, LABEL_1, ...

    `token_mixer` is one of `poolformer.nn.mixers.MIXERS`. `pool_size` is the window of pooling and of the convolution;
    `image_size`, the height and width of all pictures, is read by the random mixer alone, which works for one size.
    `transformers` has pooling only, and refuses a config.json with another mixer: `poolformer.nn.config_file` says how.

    Keys that are no field: those that `transformers` writes for every model (architectures, dtype, ...) and all others
    in a config.json are kept in `extra`, can be read as attributes, and are written back unchanged. A keyword or an
    attribute that is none of these is refused, since it is most often a slip of the pen.

    Units: `patch_sizes`, `strides` and `padding` are pixels of the stage's input; `mlp_ratio` is hidden channels of the
    channel MLP per channel; `drop_path_rate` is the probability of dropping the last block's branches in training.

    Raises:
        ConfigError: a field that no network can be built from, by field, value and what is allowed. Checked when a
            config is made, and again when a network is built from it.

    >>> config = PoolFormerConfig(num_labels=10)
    >>> config.hidden_sizes, config.num_labels
    ([64, 128, 320, 512], 10)
    >>> PoolFormerConfig(drop_path_rate=1.5)
    Traceback (most recent call last):
    poolformer.errors.ConfigError: drop_path_rate is 1.5; it must be a probability of at least 0 and below 1.
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
    token_mixer: str = POOLING
    image_size: int | None = None
    num_labels: int = None  # type: ignore[assignment]  # a property, below: the number of entries in id2label
    extra: dict[str, Any] = field(default_factory=dict)

    model_type = POOLFORMER

    def __post_init__(self) -> None:
        if self.label2id is None:
            self.label2id = {label: index for index, label in enumerate(self.labels)}
        self.validate()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in FIELD_NAMES and name != "extra":
            if name not in COMMON_KEYS and name not in self.extra:
                _check_names([name])
            self.extra[name] = value
            return
        if name in checks.LEAST_OF_STAGE:
            value = checks.to_list(name, value)
        elif name == "id2label" and value is not None:
            value = checks.to_label_names(value)
        elif name == "label2id" and value is not None:
            value = checks.to_label_indices(value)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        # Only for what is no field. Through __dict__, because a copy in the making has no `extra` yet.
        try:
            return self.__dict__["extra"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PoolFormerConfig):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def validate(self) -> None:
        """Checks every field; a ConfigError names the first one that no network can be built from."""
        checks.check_fields({name: getattr(self, name) for name in FIELD_NAMES})

    @property
    def labels(self) -> list[str]:
        """The label of each row of the classifier, in order; `LABEL_i` where id2label has a gap."""
        names = self.id2label or {}
        return [names.get(i, f"LABEL_{i}") for i in range(len(names))]

    def to_dict(self) -> dict[str, Any]:
        """The whole configuration as config.json holds it: all fields, `model_type` and the keys kept in `extra`.

        Lists and dicts are copies. `num_labels` is not in it, as in `transformers`: id2label says it. How it looks with
        another token mixer than pooling, `poolformer.nn.config_file` says.
        """
        known = {name: getattr(self, name) for name in FIELD_NAMES if name != "num_labels"}
        extra = {key: _plain(value) for key, value in self.extra.items()}
        return copy.deepcopy({**extra, **config_file.to_file(known)})

    def to_json_string(self) -> str:
        """`to_dict` as indented JSON with sorted keys and a final newline."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Writes `save_directory`/config.json, creating the directory.

        With another token mixer than pooling, a warning in the log says that `transformers` cannot open it.

        Raises:
            ConfigError: there is a file of that name, or a field was changed into one that no network can have.
        """
        self.validate()
        folder = Path(save_directory)
        if folder.is_file():
            raise ConfigError(f"{folder.name} is a file; give a folder to save to.")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_NAME).write_text(self.to_json_string(), encoding="utf-8")
        if self.token_mixer != POOLING:
            logger.warning(config_file.REFUSAL, self.token_mixer)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **overrides: Any) -> Self:
        """The configuration that a parsed config.json describes; `overrides` replace single fields.

        Another number of labels than `values` names drops the names.

        Raises:
            ConfigError: another `model_type`, an override that is no field, or a field that no network can have.
        """
        _check_names(overrides)
        values = config_file.from_file(values)
        if "id2label" in overrides or overrides.get("num_labels") not in (None, len(values.get("id2label") or {})):
            values = {key: value for key, value in values.items() if key not in ("id2label", "label2id", "num_labels")}
        known = {key: value for key, value in values.items() if key in (*FIELD_NAMES, "model_type")}
        extra = {key: value for key, value in values.items() if key not in known}
        return cls(**{"extra": extra, **known, **overrides})

    @classmethod
    def from_pretrained(cls, folder: str | Path, /, **overrides: Any) -> Self:
        """The configuration saved in `folder`, or in the JSON file given instead; `overrides` replace single fields.

        Raises:
            ConfigError: the file is missing, is not JSON, or describes no PoolFormer.
        """
        path = Path(folder)
        return cls.from_json_file(path / CONFIG_NAME if path.is_dir() else path, **overrides)

    @classmethod
    def from_json_file(cls, json_file: str | Path, **overrides: Any) -> Self:
        """The configuration in a config.json file; `overrides` replace single fields.

        Raises:
            ConfigError: the file is missing, is not JSON, or describes no PoolFormer.
        """
        return cls.from_dict(config_file.read_file(Path(json_file)), **overrides)


# `extra` is not one of them: it is how this class keeps what it does not know.
FIELD_NAMES = tuple(f.name for f in dataclasses.fields(PoolFormerConfig) if f.name != "extra")


def _check_names(names: Iterable[str]) -> None:
    unknown = [name for name in names if name not in (*FIELD_NAMES, "extra")]
    if unknown:
        checks.refuse_unknown(unknown, FIELD_NAMES)


def _count_labels(config: PoolFormerConfig) -> int:
    """Rows of the classifier."""
    return len(config.id2label or {})


def _resize_labels(config: PoolFormerConfig, count: int | None) -> None:
    """Names `count` labels LABEL_0, LABEL_1, ... unless that many are named already; None keeps them, or names two."""
    if count is not None and not checks.is_count(count, least=0):
        checks.refuse("num_labels", count, "a whole number of at least 0")
    if count is None:
        count = 2 if config.id2label is None else _count_labels(config)
    if config.id2label is None or count != len(config.id2label):
        config.id2label = {i: f"LABEL_{i}" for i in range(count)}
        config.label2id = {f"LABEL_{i}": i for i in range(count)}


# Attached here because a dataclass takes a property in its body for the field's default value.
PoolFormerConfig.num_labels = property(_count_labels, _resize_labels)  # type: ignore[assignment]


def _plain(value: Any) -> Any:
    """`value` as JSON has it: a torch.dtype by its name."""
    is_dtype = (type(value).__module__, type(value).__name__) == ("torch", "dtype")  # a config needs no torch
    return str(value).removeprefix("torch.") if is_dtype else value
