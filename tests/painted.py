"""A small data set and a small recipe for the tests of training, and the command that trains with them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from poolformer.__main__ import main

SIZE_PX = 16
COLOURS = {"blue": (0, 0, 1), "green": (0, 1, 0), "red": (1, 0, 0), "yellow": (1, 1, 0)}
OTHER_COLOURS = {"cyan": (0, 1, 1), "grey": (0.5, 0.5, 0.5), "orange": (1, 0.5, 0)}

RECIPE = """
name = "small"
image_size_px = 16
epochs = 3
batch_size = 16
learning_rate = 5e-3
weight_decay = 0.05
warmup_fraction = 0.2
label_smoothing = 0.1
shift_px = 2
cutout_px = 3
gradient_clip = 1.0
seed = 0

[architecture]
depths = [1, 1, 1, 1]
hidden_sizes = [8, 12, 16, 24]
patch_sizes = [3, 3, 3, 3]
strides = [1, 2, 2, 2]
padding = [1, 1, 1, 1]
layer_scale_init_value = 1.0
drop_path_rate = 0.2

[dataset]
name = "Painted Paper"
citation = "A. Painter: Paper and where it dries."
"""
MUON_RECIPE = RECIPE.replace("seed = 0", "seed = 0\nmuon_learning_rate = 0.02\nmuon_weight_decay = 0.1")


def write_pictures(
    root: Path, train: int = 12, test: int = 6, colours: Mapping[str, tuple[float, float, float]] = COLOURS
) -> Path:
    """`root` with so many pictures a class in {train,test}/<class>/, each noise of the class's colour."""
    generator = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        for name, colour in colours.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                noise = generator.random((SIZE_PX, SIZE_PX, 3))
                pixels = (255 * (0.6 * np.array(colour) + 0.4 * noise)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i:03}.png")
    return root


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def train(data: Path | str, out: Path | str, *options: Path | str) -> int:
    """What `python -m poolformer train` returns."""
    return main(["train", "--data", str(data), "--out", str(out), *map(str, options)])


def read_log(out: Path) -> Sequence[dict[str, str]]:
    """The lines of log.csv."""
    with (out / "log.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
