"""From a JPEG file to pixel_values: against Pillow and `transformers`' processor for it, by turns.

Each side runs in a process of its own, because `poolformer.images.decode` has Pillow keep memory for the next picture,
and Pillow has one memory for all that a process does with it.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.plan import Plan
from benchmarks.table import Measure, Row, markdown
from poolformer.training.speed import machine, readings_by_turns
from tests.serving import ROOT

EXAMPLE = ROOT / "assets" / "examples" / "dog.jpg"
NOISE_LEVELS = 5.0  # standard deviation, as of a phone's camera by daylight
OPPONENT = "PIL and transformers' Pil processor"
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Photo:
    """A picture to measure with, how often, and how many times as fast we want to be."""

    name: str
    width_px: int
    height_px: int
    rounds: int
    faster: float


PHOTOS = (Photo("640 x 480", 640, 480, 51, 1.5), Photo("12 megapixels", 4000, 3000, 11, 2.5))


def measure(plan: Plan) -> list[Row]:
    """All rows."""
    folder = plan.subfolder("pictures")
    with own_process() as ours, own_process() as theirs:
        return [measure_photo(photo, folder, plan, ours, theirs) for photo in PHOTOS]


def own_process() -> ProcessPoolExecutor:
    """One process, started afresh."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def measure_photo(
    photo: Photo, folder: Path, plan: Plan, ours: ProcessPoolExecutor, theirs: ProcessPoolExecutor
) -> Row:
    """The row of one picture; raises AssertionError unless both sides make the same of it, within TOLERANCE."""
    path = folder / f"{photo.name}.jpg"
    write_photo(photo, path)
    mine, other = ours.submit(our_values, path).result(), theirs.submit(their_values, path).result()
    np.testing.assert_allclose(mine, other, rtol=0, atol=TOLERANCE)
    actions: dict[str, Callable[[], float]] = {
        "ours": lambda: ours.submit(milliseconds, our_values, path).result(),
        "theirs": lambda: theirs.submit(milliseconds, their_values, path).result(),
    }
    spent = readings_by_turns(actions, plan.rounds(photo.rounds))
    what = f"file to pixel_values, JPEG of {photo.name}"
    return Row(what, "ms", Measure.of(spent["ours"]), Measure.of(spent["theirs"]), OPPONENT, at_least=photo.faster)


def write_photo(photo: Photo, path: Path) -> None:
    """The example in that size, with a camera's noise, as cameras save it."""
    with Image.open(EXAMPLE) as example:
        smooth = np.asarray(example.convert("RGB").resize((photo.width_px, photo.height_px)))
    noise = np.random.default_rng(0).normal(0, NOISE_LEVELS, smooth.shape[:2]).astype(np.float32)
    Image.fromarray((smooth + noise[..., None]).clip(0, 255).astype(np.uint8)).save(path, quality=90, subsampling=2)


def our_values(path: Path) -> Any:
    """As the service makes them."""
    from poolformer.images.decode import decode_with_notes

    return our_processor().view_and_values(decode_with_notes(path).image)[1]


def their_values(path: Path) -> Any:
    """As a user of `transformers` makes them."""
    return their_processor()(Image.open(path).convert("RGB"), return_tensors="pt").pixel_values


@cache
def our_processor() -> Any:
    """With the options of s12."""
    from poolformer.images.processing import PoolFormerImageProcessorPil

    return PoolFormerImageProcessorPil()


@cache
def their_processor() -> Any:
    """With the same options, which are the defaults."""
    from transformers.models.poolformer.image_processing_pil_poolformer import PoolFormerImageProcessorPil

    return PoolFormerImageProcessorPil()


def milliseconds(function: Callable[[Path], Any], path: Path) -> float:
    """How long one call takes, after one that wakes the process from waiting for the other's turn to end."""
    function(path)
    started = time.perf_counter()
    function(path)
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(markdown(measure(Plan(Path(temporary)))), f"\n{machine()}", sep="\n")
