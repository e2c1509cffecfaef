"""Recipe: everything about a training run that is not the data, read from a TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poolformer.errors import ConfigError

BUNDLED_RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """One training run: architecture, schedule and augmentation. Fractions are of all steps; `_px` are input pixels.

    Raises:
        ConfigError: a value that no run can be made with.
    """

    name: str
    image_size_px: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_fraction: float
    label_smoothing: float
    shift_px: int
    cutout_px: int
    gradient_clip: float
    seed: int
    architecture: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("image_size_px", "epochs", "batch_size", "learning_rate", "gradient_clip"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"The recipe's {name} is {getattr(self, name)}; it must be above 0.")
        for name in ("warmup_fraction", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"The recipe's {name} is {getattr(self, name)}; it must be at least 0 and below 1.")
        for name in ("shift_px", "cutout_px"):
            if not 0 <= getattr(self, name) < self.image_size_px:
                raise ConfigError(f"The recipe's {name} is {getattr(self, name)}; it must be below image_size_px.")


def load_recipe(name_or_path: str, **overrides: Any) -> Recipe:
    """The recipe of that bundled name or TOML file; `overrides` that are not None replace single values.

    Raises:
        ConfigError: no such recipe, or a key that a recipe does not have.
    """
    bundled = {path.stem: path for path in BUNDLED_RECIPES.glob("*.toml")}
    path = bundled.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        raise ConfigError(f"There is no recipe {name_or_path!r}; name a TOML file or one of {', '.join(bundled)}.")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name} is not valid TOML ({error}).") from error
    values |= {key: value for key, value in overrides.items() if value is not None}
    names = {f.name for f in dataclasses.fields(Recipe)}
    required = {f.name for f in dataclasses.fields(Recipe) if f.default_factory is dataclasses.MISSING}
    if values.keys() - names or required - values.keys():
        unknown, missing = sorted(values.keys() - names), sorted(required - values.keys())
        raise ConfigError(f"{path.name} is no recipe: unknown keys {unknown}, missing keys {missing}.")
    return Recipe(**values)
