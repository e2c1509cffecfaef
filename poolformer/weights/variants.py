"""The variants: what was published about s12 to m48, and what was measured of the bundled tiny.

Figures of the published five: *MetaFormer Is Actually What You Need for Vision* (arXiv:2111.11418), tables 1 and 2, and
the README of github.com/sail-sg/poolformer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from poolformer.errors import UnknownVariantError, WeightsError
from poolformer.images.options import ProcessorOptions
from poolformer.nn import PoolFormerConfig
from poolformer.nn.config import CONFIG_NAME
from poolformer.nn.cost import mac_count, parameter_count
from poolformer.weights.files import PREPROCESSOR_NAME, read_json

BUNDLED_DIR = Path(__file__).resolve().parents[2] / "assets"  # beside the package: the app runs from its clone
BUNDLED_NAME = "tiny"
METRICS_NAME = "metrics.json"  # what the training command measured

PUBLISHED_SIZE_PX = 224  # height and width of the pictures that MACs and top-1 were published for


@dataclass(frozen=True)
class Variant:
    """One row of the variant table.

    `parameters_m` is millions of parameters, `macs_g` thousand millions of multiply-accumulates for one square picture
    of `input_size_px` pixels a side, both as `poolformer.nn.cost` counts them. `top1_percent` is the top-1 accuracy on
    the test pictures of `dataset`, None if nobody measured it. `crop_pct` is the share of the resized shortest edge
    that the centre crop keeps. Published variants have a `hub_id`, the others a `folder`.
    """

    name: str
    depths: tuple[int, ...]
    hidden_sizes: tuple[int, ...]
    parameters_m: float
    macs_g: float
    top1_percent: float | None
    crop_pct: float | None
    hub_id: str = ""
    folder: Path | None = None
    dataset: str = "ImageNet-1k"
    input_size_px: int = PUBLISHED_SIZE_PX

    def config(self, num_labels: int = 1000) -> PoolFormerConfig:
        """The network's configuration; a bundled variant's is read from its folder, with its own labels."""
        if self.folder is not None:
            return PoolFormerConfig.from_dict(read_json(self.folder / CONFIG_NAME))
        return PoolFormerConfig(depths=self.depths, hidden_sizes=self.hidden_sizes, num_labels=num_labels)


_S, _M = (64, 128, 320, 512), (96, 192, 384, 768)

VARIANTS: dict[str, Variant] = {
    row.name: row
    for row in (
        Variant("s12", (2, 2, 6, 2), _S, 12, 1.8, 77.2, 0.9, "sail/poolformer_s12"),
        Variant("s24", (4, 4, 12, 4), _S, 21, 3.4, 80.3, 0.9, "sail/poolformer_s24"),
        Variant("s36", (6, 6, 18, 6), _S, 31, 5.0, 81.4, 0.9, "sail/poolformer_s36"),
        Variant("m36", (6, 6, 18, 6), _M, 56, 8.8, 82.1, 0.95, "sail/poolformer_m36"),
        Variant("m48", (8, 8, 24, 8), _M, 73, 11.6, 82.5, 0.95, "sail/poolformer_m48"),
    )
}

VARIANT_NAMES = (BUNDLED_NAME, *VARIANTS)


def variant(name: str) -> Variant:
    """The row of the table under `name`: tiny, from its bundled files, or a published one.

    Raises:
        UnknownVariantError: no such row.
        WeightsError: the bundled files are missing or damaged.
    """
    if name == BUNDLED_NAME:
        bundled = folder_variant(BUNDLED_DIR / BUNDLED_NAME)
        if bundled.top1_percent is None:
            raise WeightsError(f"The bundled {name} lacks {METRICS_NAME}; restore its files.")
        return bundled
    if name not in VARIANTS:
        raise UnknownVariantError(f"There is no variant {name!r}; choose one of {', '.join(VARIANT_NAMES)}.")
    return VARIANTS[name]


def folder_variant(folder: Path) -> Variant:
    """The row of a checkpoint in a folder: counted from its config, and measured if the training command measured it.

    Raises:
        WeightsError: a file is missing or damaged.
        ConfigError: the config or the preprocessor config cannot be used.
        ImageError: the preprocessor config makes pictures that are too small for the network.
    """
    config = PoolFormerConfig.from_dict(read_json(folder / CONFIG_NAME))
    preprocessor, metrics = (
        read_json(folder / name) if (folder / name).exists() else None for name in (PREPROCESSOR_NAME, METRICS_NAME)
    )
    options = ProcessorOptions.from_dict(preprocessor or {})
    size_px = options.crop_size["height"]
    try:
        top1_percent = None if metrics is None else float(metrics["top1"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{METRICS_NAME} in {folder.name} has no number top1; restore or remove it.") from error
    return Variant(
        name=folder.name,
        depths=tuple(config.depths),
        hidden_sizes=tuple(config.hidden_sizes),
        parameters_m=parameter_count(config) / 1e6,
        macs_g=mac_count(config, size_px, size_px).total / 1e9,
        top1_percent=top1_percent,
        crop_pct=options.crop_pct,
        folder=folder,
        dataset=str((metrics or {}).get("dataset", "")),
        input_size_px=size_px,
    )
