"""Recipe: everything about a training run that is not the data, read from a TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poolformer.errors import ConfigError

BUNDLED_RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """One training run: architecture, schedule and augmentation. Fractions are of all steps; `_px` are input pixels.

    `validation_fraction` of the training pictures is set aside, and the epoch that is best on them is the one that is
    kept; at 0 the last epoch is kept. `restarts` are epochs after which the cycle of the learning rate starts again, to
    half the peak of the one before (warm restarts, arXiv:1608.03983). With a `muon_learning_rate` above 0, Muon trains
    the kernels at that rate, and AdamW the rest at `learning_rate`; at 0, AdamW trains everything. `architecture` has
    fields of the network's config; a run that starts from a checkpoint needs none. `dataset` has a name, a citation and
    the classes of the data that the recipe was made for.

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
    validation_fraction: float = 0.0
    restarts: list[int] = field(default_factory=list)
    muon_learning_rate: float = 0.0
    muon_weight_decay: float = 0.0
    architecture: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("image_size_px", "epochs", "batch_size", "learning_rate", "gradient_clip"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"The recipe's {name} is {getattr(self, name)}; it must be above 0.")
        for name in ("warmup_fraction", "label_smoothing", "validation_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"The recipe's {name} is {getattr(self, name)}; it must be at least 0 and below 1.")
        for name in ("muon_learning_rate", "muon_weight_decay"):
            if getattr(self, name) < 0:
                raise ConfigError(f"The recipe's {name} is {getattr(self, name)}; it must be at least 0.")
        for name in ("shift_px", "cutout_px"):
            if not 0 <= getattr(self, name) < self.image_size_px:
                raise ConfigError(f"The recipe's {name} is {getattr(self, name)}; it must be below image_size_px.")
        if any(start <= 0 for start in self.restarts) or self.restarts != sorted(set(self.restarts)):
            raise ConfigError(f"The recipe's restarts are {self.restarts}; they must be rising epochs above 0.")

    def cycle_of(self, epoch: int) -> tuple[int, int, float]:
        """(first epoch, epoch after the last, peak as a share of the first peak) of the cycle of `epoch`, from 0."""
        starts = [0, *(start for start in self.restarts if start < self.epochs)]
        number = max(i for i, start in enumerate(starts) if start <= epoch)
        end = starts[number + 1] if number + 1 < len(starts) else self.epochs
        return starts[number], end, 1 / 2**number

    def dataset_of(self, classes: Sequence[str]) -> dict[str, Any]:
        """`dataset`, if these are its classes: what is said of other data would be false, so that is left out."""
        return self.dataset if list(self.dataset.get("classes", classes)) == list(classes) else {}

    def agrees_with(self, saved: Mapping[str, Any]) -> bool:
        """Whether `saved`, a recipe as a dictionary, is this one; a field that it lacks counts as its default."""
        defaults = {f.name: f.default for f in dataclasses.fields(self) if f.default is not dataclasses.MISSING}
        return {**defaults, **saved} == dataclasses.asdict(self)


def load_recipe(name_or_path: str, fallback: Mapping[str, Any] | None = None, **overrides: Any) -> Recipe:
    """The recipe of that bundled name or TOML file.

    `fallback` has values for keys that the file leaves out; `overrides` that are not None replace single values.

    Raises:
        ConfigError: no such recipe, or a key that a recipe does not have.
    """
    bundled = {path.stem: path for path in BUNDLED_RECIPES.glob("*.toml")}
    path = bundled.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        known = ", ".join(sorted(bundled))
        raise ConfigError(f"There is no recipe {name_or_path!r}; name a TOML file or one of {known}.")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name} is not valid TOML ({error}).") from error
    given = {key: value for key, value in overrides.items() if value is not None}
    values = {**(fallback or {}), **values, **given}
    names = {f.name for f in dataclasses.fields(Recipe)}
    optional = {f.name for f in dataclasses.fields(Recipe) if _has_default(f)}
    if values.keys() - names or names - optional - values.keys():
        unknown, missing = sorted(values.keys() - names), sorted(names - optional - values.keys())
        raise ConfigError(f"{path.name} is no recipe: unknown keys {unknown}, missing keys {missing}.")
    return Recipe(**values)


def _has_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING
