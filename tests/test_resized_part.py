"""A part of a resized picture against Pillow, which resizes the whole, and against `transformers`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Resampling
from transformers.models.poolformer.image_processing_pil_poolformer import PoolFormerImageProcessorPil as ReferencePil

from poolformer.images import resized_part as module
from poolformer.images import sharing
from poolformer.images.processing import PoolFormerImageProcessor, PoolFormerImageProcessorPil
from poolformer.images.resized_part import resized_part

ROOT = Path(__file__).parents[1]
FILTERS = pytest.mark.parametrize("resample", list(Resampling), ids=lambda resample: resample.name)
# (width, height) of the picture, and what it is resized to: shrunk, enlarged, both, not at all, and the extremes.
SIZES = [
    ((64, 48), (33, 24)),
    ((97, 61), (13, 30)),
    ((50, 41), (50, 20)),
    ((50, 41), (20, 41)),
    ((50, 41), (50, 41)),
    ((19, 23), (40, 61)),
    ((128, 64), (16, 8)),
    ((1, 90), (20, 200)),
    ((300, 1), (60, 20)),
    ((257, 3), (2, 1)),
    ((2, 255), (31, 7)),
    ((4, 200), (9, 90)),
    ((3, 299), (30, 40)),
    ((3, 301), (3, 40)),
    ((1, 1), (25, 25)),
]


@pytest.fixture(params=[1, 2, 5], ids=lambda cores: f"{cores} cores")
def in_bands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small pictures are cut up as large ones are, whatever this machine has."""
    sharing._helpers.cache_clear()
    monkeypatch.setattr(sharing, "core_count", lambda: request.param)
    monkeypatch.setattr(module, "BAND_PIXELS", 700)
    monkeypatch.setattr(module, "SMALL_PIXELS", 0)
    yield
    sharing._helpers.cache_clear()


def noise(mode: str, size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Blacks, whites and everything between, side by side: what makes filters overshoot."""
    width, height = size
    levels = np.random.default_rng(seed).normal(128, 120, (height, width, 4)).clip(0, 255).astype(np.uint8)
    whole = Image.fromarray(levels)
    return whole if mode == "RGBA" else whole.convert("RGB").convert(mode)


def spans(length: int) -> list[slice]:
    """All of it, the centre, one end of it, a single place."""
    third = length // 3
    return [slice(0, length), slice(third, length - third), slice(0, third + 1), slice(length - 1, length)]


@FILTERS
@pytest.mark.usefixtures("in_bands")
def test_a_part_has_the_pixels_of_the_whole(resample: Resampling) -> None:
    for size, target in SIZES:
        image = noise("RGB", size)
        whole = image.resize(target, resample)
        for rows, columns in zip(spans(target[1]), spans(target[0])[::-1], strict=True):
            part = resized_part(image, target, resample, rows, columns)
            expected = whole.crop((columns.start, rows.start, columns.stop, rows.stop))
            assert (part.mode, part.size) == (expected.mode, expected.size)
            assert part.tobytes() == expected.tobytes(), f"{size} to {target}, {rows}, {columns}"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I", "F"])
@pytest.mark.usefixtures("in_bands")
def test_every_mode_has_the_pixels_of_the_whole(mode: str) -> None:
    image = noise(mode, (90, 70))
    part = resized_part(image, (41, 32), Resampling.BICUBIC, slice(5, 27), slice(9, 31))
    assert part.tobytes() == image.resize((41, 32), Resampling.BICUBIC).crop((9, 5, 31, 27)).tobytes()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.usefixtures("in_bands")
def test_random_sizes_and_parts_have_the_pixels_of_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, target = ((int(n) for n in rng.integers(1, 130, 2)) for _ in range(2))
    image, target = noise("RGB", tuple(size), seed), tuple(target)
    resample = Resampling(int(rng.integers(6)))
    rows, columns = (slice(*sorted(int(n) for n in rng.choice(edge + 1, 2, replace=False))) for edge in target[::-1])
    part = resized_part(image, target, resample, rows, columns)
    expected = image.resize(target, resample).crop((columns.start, rows.start, columns.stop, rows.stop))
    assert part.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"crop_pct": None},
        {"crop_pct": 0.95},
        {"do_center_crop": False},
        {"size": {"height": 60, "width": 40}, "crop_size": 30},
        {"size": {"height": 60, "width": 40}, "crop_pct": None, "crop_size": (70, 30)},
        {"size": 20, "crop_size": {"height": 64, "width": 48}},
        {"do_resize": False},
        *({"resample": int(resample)} for resample in Resampling),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.usefixtures("in_bands")
def test_the_processor_equals_transformers_in_bands(options: dict[str, Any], mode: str) -> None:
    options = {"size": 40, "crop_size": 36, "do_convert_rgb": True} | options
    for size in ((90, 61), (47, 120)):
        image = noise(mode, size)
        ours = PoolFormerImageProcessorPil(**options)(image, return_tensors="np").pixel_values
        theirs = ReferencePil(**options)(image, return_tensors="np").pixel_values
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_a_photo_equals_transformers_at_full_size() -> None:
    image = noise("RGB", (900, 700))
    ours = PoolFormerImageProcessorPil()(image, return_tensors="np").pixel_values
    np.testing.assert_allclose(ours, ReferencePil()(image, return_tensors="np").pixel_values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("processor_class", [PoolFormerImageProcessorPil, PoolFormerImageProcessor])
def test_view_and_values_are_those_of_crop_and_call(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    for options in ({}, {"size": 20, "crop_size": 50}, {"do_resize": False}, {"do_center_crop": False}):
        processor, image = processor_class(**options), noise("RGB", (120, 90))
        view, values = processor.view_and_values(image)
        assert (view.dtype, values.dtype) == (np.uint8, torch.float32)
        assert view.flags.c_contiguous
        assert np.array_equal(view, np.asarray(processor.crop(image)))
        assert torch.equal(values, processor(image, return_tensors="pt").pixel_values)


def test_a_picture_is_opened_and_processed_without_torch(tmp_path: Path) -> None:
    noise("RGB", (60, 40)).save(tmp_path / "picture.png")
    code = """if True:
        import sys
        from poolformer.images.decode import decode_image
        from poolformer.images.processing import PoolFormerImageProcessorPil
        image = decode_image(sys.argv[1])
        print(PoolFormerImageProcessorPil()([image, image], return_tensors="np").pixel_values.shape)
        assert "torch" not in sys.modules
    """
    command = [sys.executable, "-c", code, str(tmp_path / "picture.png")]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "(2, 3, 224, 224)"
