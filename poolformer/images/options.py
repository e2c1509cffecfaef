"""ProcessorOptions: how a picture becomes the network's input, read from and written to preprocessor_config.json."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from PIL import Image

from poolformer.errors import ConfigError

PROCESSOR_NAME = "preprocessor_config.json"
# Mean and standard deviation of ImageNet-1k's training pictures, red, green, blue, in 0 to 1 (as in torchvision).
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LAYOUTS = ("channels_first", "channels_last")
# Keys that name the class in files of this and older formats; the class is known here, so they are not options.
TYPE_KEYS = ("image_processor_type", "feature_extractor_type", "processor_class")
# Fields that belong to a process, not to a checkpoint.
UNSAVED = ("extra", "device")


@dataclass(kw_only=True)
class ProcessorOptions:
    """Every option of the image processors, with the names and defaults of `transformers`; checked when made.

    Each can be given when a processor is made, and again for a single call. Steps run in this order; a step whose `do_`
    option is false or None is skipped.

    - `do_convert_rgb`: grey is repeated, transparency goes on white. Off by default, as in `transformers`.
    - `do_resize`, to `size`: {"shortest_edge": n} keeps the aspect ratio, {"height": h, "width": w} does not; a whole
      number n means the former, a pair (h, w) the latter. All in pixels, divided by `crop_pct` unless that is None.
      `resample` is a `PIL.Image.Resampling` or its number.
    - `do_center_crop`, to `crop_size`: {"height": h, "width": w}, (h, w), or n for a square; zeros pad a small picture.
    - `do_rescale`: pixel values are multiplied by `rescale_factor`.
    - `do_normalize`: `image_mean` is subtracted, then divided by `image_std`; one number, or one a channel.

    `input_data_format` says whether arrays are "channels_first" or "channels_last"; None finds out from the shape.
    `data_format` is accepted and checked, but results are channels first whatever it says, as in `transformers` 5.23.
    `return_tensors` is "pt" (one torch tensor), "np" (one numpy array) or None (a list with one entry a picture).
    Keys of a file that are no option are kept in `extra` and written back.

    Raises:
        ConfigError: an option that cannot be used, by option, value and what is allowed.
    """

    do_convert_rgb: bool | None = None
    do_resize: bool | None = True
    size: Any = 224
    crop_pct: float | None = 0.9
    resample: int = Image.Resampling.BICUBIC
    do_center_crop: bool | None = True
    crop_size: Any = 224
    do_rescale: bool | None = True
    rescale_factor: float = 1 / 255
    do_normalize: bool | None = True
    image_mean: float | Sequence[float] = IMAGENET_MEAN
    image_std: float | Sequence[float] = IMAGENET_STD
    input_data_format: str | None = None
    data_format: str | None = None
    return_tensors: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("do_convert_rgb", "do_resize", "do_center_crop", "do_rescale", "do_normalize"):
            if not isinstance(getattr(self, name), bool | None):
                refuse(name, getattr(self, name), "true, false or null")
        self.size = _size_dict("size", self.size, allow_shortest_edge=True)
        self.crop_size = _size_dict("crop_size", self.crop_size, allow_shortest_edge=False)
        self._check_crop_pct()
        if not _is_whole(self.resample) or self.resample not in list(Image.Resampling):
            known = ", ".join(f"{filter_.value} ({filter_.name.lower()})" for filter_ in sorted(Image.Resampling))
            refuse("resample", self.resample, f"one of {known}")
        self.resample = Image.Resampling(self.resample)
        if not _is_number(self.rescale_factor) or self.rescale_factor == 0:
            refuse("rescale_factor", self.rescale_factor, "a finite number other than 0")
        self.image_mean = _channel_values("image_mean", self.image_mean)
        self.image_std = _channel_values("image_std", self.image_std)
        if not all(deviation > 0 for deviation in _as_tuple(self.image_std)):
            refuse("image_std", self.image_std, "above 0, because pixel values are divided by it")
        for name, allowed in (
            ("input_data_format", LAYOUTS),
            ("data_format", LAYOUTS),
            ("return_tensors", ("pt", "np")),
        ):
            if getattr(self, name) not in (None, *allowed):
                refuse(name, getattr(self, name), "null, " + " or ".join(repr(value) for value in allowed))

    def _check_crop_pct(self) -> None:
        if self.crop_pct is None:
            return
        if not _is_number(self.crop_pct) or not 0 < self.crop_pct <= min(self.size.values()):
            refuse(
                "crop_pct", self.crop_pct, "null or a number above 0 that leaves an edge of at least 1 pixel, like 0.9"
            )

    def to_dict(self) -> dict[str, Any]:
        """The options as preprocessor_config.json holds them, in the form that `transformers` opens and writes."""
        options = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            # As in `transformers`, null is written only where it says something: where it is not the default.
            if item.name not in UNSAVED and not (value is None and item.default is None):
                options[item.name] = _plain(value)
        return {**self.extra, **options, "image_processor_type": "PoolFormerImageProcessor"}

    def to_json_string(self) -> str:
        """`to_dict` as indented JSON with sorted keys and a final newline."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, directory: str | Path) -> None:
        """Writes `directory`/preprocessor_config.json, creating the directory."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PROCESSOR_NAME).write_text(self.to_json_string(), encoding="utf-8")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **overrides: Any) -> Self:
        """The processor that a parsed preprocessor_config.json describes; `overrides` replace single options.

        Raises:
            ConfigError: an option that cannot be used.
        """
        names = {item.name for item in dataclasses.fields(cls)} - {"extra"}
        extra = {key: value for key, value in values.items() if key not in names and key not in TYPE_KEYS}
        known = {key: value for key, value in values.items() if key in names}
        return cls(**{**known, **overrides}, extra=extra)

    @classmethod
    def from_pretrained(cls, folder: str | Path, **overrides: Any) -> Self:
        """The processor saved in `folder`, or in the JSON file given instead; `overrides` replace single options.

        Raises:
            ConfigError: there is no such file, it is not JSON, or an option cannot be used.
        """
        path = Path(folder) / PROCESSOR_NAME if Path(folder).is_dir() else Path(folder)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"There is no {PROCESSOR_NAME} in {str(folder)!r}; give a folder that has one."
            ) from error
        except ValueError as error:
            raise ConfigError(f"{path.name} is not valid JSON ({error}).") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path.name} holds a JSON {type(values).__name__}; it must hold an object.")
        return cls.from_dict(values, **overrides)


def refuse(name: str, value: Any, allowed: str) -> None:
    """Raises the ConfigError that says which option was wrong, its value, and what is allowed."""
    raise ConfigError(f"{name} is {value!r}; it must be {allowed}.")


def _size_dict(name: str, value: Any, allow_shortest_edge: bool) -> dict[str, int]:
    forms: list[set[str]] = [{"height", "width"}] + [{"shortest_edge"}] * allow_shortest_edge
    if _is_whole(value):
        value = {"shortest_edge": value} if allow_shortest_edge else {"height": value, "width": value}
    elif isinstance(value, (list, tuple)) and len(value) == 2:
        value = {"height": value[0], "width": value[1]}
    found = dict(value) if isinstance(value, Mapping) else {}
    if set(found) not in forms or not all(_is_whole(edge) and edge >= 1 for edge in found.values()):
        shapes = '{"shortest_edge": n} or ' * allow_shortest_edge + '{"height": h, "width": w}'
        refuse(name, value, f"{shapes} in whole pixels of at least 1")
    return found


def _channel_values(name: str, value: Any) -> float | tuple[float, ...]:
    values = _as_tuple(value)
    if not values or not all(_is_number(entry) for entry in values):
        refuse(name, value, "a finite number, or a list with one a channel")
    return values if isinstance(value, Sequence) else values[0]


def _as_tuple(value: Any) -> tuple[float, ...]:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _plain(value: Any) -> Any:
    """`value` as JSON has it: a tuple as a list, an enumeration's member as its number, a dict as a copy."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Image.Resampling):
        return int(value)
    return dict(value) if isinstance(value, dict) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
