"""The image processors against `transformers`, against an antialiased resize written here, and their own promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.poolformer.image_processing_pil_poolformer import PoolFormerImageProcessorPil as ReferencePil

from poolformer import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.errors import ConfigError, ImageError
from poolformer.images import resampling
from poolformer.images.geometry import resized_size
from poolformer.images.processing import PoolFormerImageProcessor, PoolFormerImageProcessorPil

OLD_FILE = {
    "crop_pct": 0.9,
    "do_normalize": True,
    "do_resize_crop": True,
    "feature_extractor_type": "PoolFormerFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "size": 224,
}
SHAPES = [(480, 640), (640, 199), (31, 57), (224, 224), (1, 1), (1, 90), (77, 1), (248, 331), (225, 223)]
PLAIN = {"do_rescale": False, "do_normalize": False}
FORMS_OF_BYTES = ["pil", "grey", "transparent", "transparent array", "last", "first", "tensor", "batch", "list"]
BOTH = pytest.mark.parametrize("processor_class", [PoolFormerImageProcessorPil, PoolFormerImageProcessor])


def random_pixels(rng: np.random.Generator, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Noise on gradients: sharp enough to make bicubic overshoot, with flat and saturated parts."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = 128 + 150 * np.sin(rows / rng.uniform(1, 20))[..., None] * np.cos(columns / rng.uniform(1, 20))[..., None]
    return np.clip(waves + rng.normal(0, rng.uniform(0, 80), (height, width, channels)), 0, 255).astype(np.uint8)


def random_options(rng: np.random.Generator, filters: list[int]) -> dict[str, Any]:
    """Options that both libraries take; per call and per instance alike."""
    edge, height, width = (int(n) for n in rng.integers(6, 60, 3))
    sizes = [{"shortest_edge": edge}, {"height": height, "width": width}, {"height": edge, "width": edge}, edge]
    crops = [{"height": height, "width": width}, edge, (width, height)]
    options: dict[str, Any] = {
        "crop_size": crops[rng.integers(len(crops))],
        "resample": filters[rng.integers(len(filters))],
        "crop_pct": float(rng.choice([0.875, 0.9, 0.95, 1.0, 1.3])),
        "rescale_factor": float(rng.choice([1 / 255, 1 / 127.5, 0.01])),
        "image_mean": [float(v) for v in rng.uniform(0, 1, 3)] if rng.random() < 0.7 else 0.5,
        "image_std": [float(v) for v in rng.uniform(0.1, 1, 3)] if rng.random() < 0.7 else 0.25,
    }
    options |= {
        name: bool(rng.random() < 0.8) for name in ("do_resize", "do_center_crop", "do_rescale", "do_normalize")
    }
    kept = {name: value for name, value in options.items() if rng.random() < 0.8}
    return {"size": sizes[rng.integers(len(sizes))], **kept}


def random_input(
    rng: np.random.Generator, kinds: list[str], edges_px: tuple[int, int] = (5, 120)
) -> tuple[Any, dict[str, Any]]:
    """A picture in one of the forms that processors take, and the options that this form needs."""
    height, width = (int(n) for n in rng.integers(*edges_px, 2))
    pixels = random_pixels(rng, height, width)
    first = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    match kinds[rng.integers(len(kinds))]:
        case "pil":
            return Image.fromarray(pixels), {}
        case "grey":
            return Image.fromarray(pixels[..., 0]), {"do_convert_rgb": True}
        case "transparent":
            return Image.fromarray(random_pixels(rng, height, width, 4)), {"do_convert_rgb": True}
        case "transparent array":
            return random_pixels(rng, height, width, 4), {"do_convert_rgb": True}
        case "last":
            return pixels, {"input_data_format": "channels_last"}
        case "first":
            return first, {"input_data_format": "channels_first"}
        case "tensor":
            return torch.from_numpy(first), {}
        case "batch":
            return np.stack([pixels, pixels[::-1]]), {}
        case "list":
            return [Image.fromarray(pixels), torch.from_numpy(first), pixels], {}
        case "unit floats":
            return (pixels / 255).astype(rng.choice(["float32", "float64"])), {}
        case _:
            return pixels.astype(rng.choice(["float32", "int64"])), {}


def to_list(values: Any) -> list[np.ndarray]:
    return [np.asarray(value, np.float64) for value in values]


# --- against transformers


@pytest.mark.parametrize("shape", SHAPES)
def test_default_pil_processor_equals_transformers(shape: tuple[int, int]) -> None:
    image = Image.fromarray(random_pixels(np.random.default_rng(0), *shape))
    ours = PoolFormerImageProcessorPil()(image, return_tensors="pt").pixel_values
    theirs = ReferencePil()(image, return_tensors="pt").pixel_values
    assert ours.dtype == theirs.dtype
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(240))
def test_pil_processor_equals_transformers_for_random_calls(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture, needed = random_input(rng, FORMS_OF_BYTES * 2 + ["unit floats", "whole numbers"])
    options = random_options(rng, filters=[0, 1, 2, 3, 4, 5])
    if seed % 2:  # per instance, else per call
        ours = PoolFormerImageProcessorPil(**options)(picture, **needed)
        theirs = ReferencePil(**options)(picture, **needed)
    else:
        ours = PoolFormerImageProcessorPil()(picture, **needed, **options)
        theirs = ReferencePil()(picture, **needed, **options)
    assert len(ours.pixel_values) == len(theirs.pixel_values)
    for mine, reference in zip(ours.pixel_values, theirs.pixel_values, strict=True):
        assert mine.dtype == reference.dtype, f"seed {seed}"
        np.testing.assert_allclose(mine, reference, atol=1e-6, rtol=1e-7, err_msg=f"seed {seed}")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV"])
@pytest.mark.parametrize("convert", [True, None])
def test_pil_modes_give_what_transformers_gives(mode: str, convert: bool | None) -> None:
    image = Image.fromarray(random_pixels(np.random.default_rng(1), 40, 50)).convert(mode)
    options = {"do_convert_rgb": convert, "size": 20, "crop_size": 18, "image_mean": 0.4, "image_std": 0.3}
    ours = PoolFormerImageProcessorPil()(image, **options).pixel_values[0]
    theirs = ReferencePil()(image, **options).pixel_values[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)


def test_crop_pct_none_resizes_to_the_size_itself() -> None:
    image = Image.fromarray(random_pixels(np.random.default_rng(2), 50, 70))
    options: dict[str, Any] = {"crop_pct": None, "size": {"height": 30, "width": 20}, "do_center_crop": False}
    ours = PoolFormerImageProcessorPil(**options)(image, return_tensors="np").pixel_values
    np.testing.assert_allclose(ours, ReferencePil(**options)(image, return_tensors="np").pixel_values, atol=1e-6)
    assert ours.shape == (1, 3, 30, 20)


@BOTH
def test_data_format_changes_nothing_as_in_transformers(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    image = Image.new("RGB", (30, 20))
    theirs = ReferencePil()(image, data_format="channels_last", return_tensors="np").pixel_values
    ours = processor_class()(image, data_format="channels_last", return_tensors="np").pixel_values
    assert ours.shape == theirs.shape == (1, 3, 224, 224)


@pytest.mark.parametrize("values", [OLD_FILE, {}, {"crop_pct": None}, {"size": {"height": 30, "width": 20}}])
def test_files_agree_with_transformers(values: dict[str, Any], tmp_path: Path) -> None:
    reference = ReferencePil.from_dict(dict(values))
    processor = PoolFormerImageProcessorPil.from_dict(values)
    assert json.loads(processor.to_json_string()) == json.loads(reference.to_json_string())
    processor.save_pretrained(tmp_path / "ours")
    assert ReferencePil.from_pretrained(str(tmp_path / "ours")).to_json_string() == reference.to_json_string()
    reference.save_pretrained(str(tmp_path / "theirs"))
    assert PoolFormerImageProcessorPil.from_pretrained(tmp_path / "theirs") == processor
    assert PoolFormerImageProcessor.from_pretrained(tmp_path / "theirs" / "preprocessor_config.json").size


# --- against an independent resize


def filter_weights(inputs: int, outputs: int, kernel: Any, support: float) -> np.ndarray:
    """The (outputs, inputs) matrix of an antialiased filter, straight from its definition."""
    scale = inputs / outputs
    stretch = max(scale, 1.0)
    weights = np.zeros((outputs, inputs))
    for out in range(outputs):
        centre = (out + 0.5) * scale
        first = max(int(centre - support * stretch + 0.5), 0)
        last = min(int(centre + support * stretch + 0.5), inputs)
        for position in range(first, last):
            weights[out, position] = kernel((position + 0.5 - centre) / stretch)
    return weights / weights.sum(axis=1, keepdims=True)


def cubic(x: float) -> float:
    """Keys' cubic convolution with a = -1/2 (IEEE Transactions on Acoustics, Speech, and Signal Processing, 1981)."""
    x = abs(x)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return ((-0.5 * x + 2.5) * x - 4) * x + 2 if x < 2 else 0.0


def triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def lanczos3(x: float) -> float:
    return float(np.sinc(x) * np.sinc(x / 3)) if abs(x) < 3 else 0.0


KERNELS = {1: (lanczos3, 3.0), 2: (triangle, 1.0), 3: (cubic, 2.0)}


def resize_by_definition(pixels: np.ndarray, height: int, width: int, resample: int, in_bytes: bool) -> np.ndarray:
    """(H, W, C) resized by two matrix products, rows first; `in_bytes` rounds to 0 to 255 after each.

    Independent of both implementations: no PIL, no torch, floating-point matrices instead of fixed-point taps.
    """
    kernel, support = KERNELS[resample]
    to_bytes = (lambda x: np.clip(np.floor(x + 0.5), 0, 255)) if in_bytes else (lambda x: x)
    across = filter_weights(pixels.shape[1], width, kernel, support)
    down = filter_weights(pixels.shape[0], height, kernel, support)
    rows = to_bytes(np.einsum("ow,hwc->hoc", across, pixels.astype(np.float64)))
    return to_bytes(np.einsum("oh,hwc->owc", down, rows))


@pytest.mark.parametrize("seed", range(60))
def test_tensor_resize_agrees_with_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, size = rng.integers(40, 90, 2), rng.integers(3, 40, 2)
    pixels, resample = random_pixels(rng, *shape), int(rng.choice(list(KERNELS)))
    options: dict[str, Any] = {"do_center_crop": False, "crop_pct": None, "resample": resample, **PLAIN}
    size_px = {"height": int(size[0]), "width": int(size[1])}
    ours = PoolFormerImageProcessor(size=size_px, **options)(pixels, input_data_format="channels_last").pixel_values[0]
    expected = resize_by_definition(pixels, *size, resample, in_bytes=True)
    assert ours.dtype == torch.uint8
    difference = np.abs(np.moveaxis(ours.numpy().astype(int), 0, -1) - expected)
    assert difference.max() <= 1, f"seed {seed}"


def test_float_tensors_are_resized_as_floats() -> None:
    pixels = random_pixels(np.random.default_rng(3), 40, 60) / 255
    options: dict[str, Any] = {"do_center_crop": False, "crop_pct": None, **PLAIN}
    processor = PoolFormerImageProcessor(size={"height": 25, "width": 31}, **options)
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-5), (torch.float16, 2e-3)):
        ours = processor(torch.tensor(pixels, dtype=dtype)).pixel_values[0]
        assert ours.dtype == dtype
        expected = np.moveaxis(resize_by_definition(pixels, 25, 31, 3, in_bytes=False), -1, 0)
        np.testing.assert_allclose(ours.double().numpy(), expected, atol=tolerance)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_bytes_resized_in_passes_agree_with_the_native_way(mode: str) -> None:
    # The way taken on a GPU, here on the CPU.
    pixels = torch.from_numpy(random_pixels(np.random.default_rng(4), 90, 130)).movedim(-1, 0)[None]
    native = resampling._resize_bytes(pixels, (40, 57), mode)
    in_passes = resampling.resize_bytes_in_passes(pixels, (40, 57), mode)
    assert in_passes.dtype == torch.uint8
    assert (in_passes.int() - native.int()).abs().max() <= 1


def test_resizing_whole_bicubic_in_floats_would_be_wrong() -> None:
    # Why bytes are resized in bytes: black and white lines make the cubic overshoot.
    pixels = ((np.indices((64, 64)).sum(axis=0) // 3 % 2) * 255).astype(np.uint8)[..., None].repeat(3, axis=-1)
    in_bytes = resize_by_definition(pixels, 100, 100, 3, in_bytes=True)
    in_floats = np.clip(np.round(resize_by_definition(pixels, 100, 100, 3, in_bytes=False)), 0, 255)
    assert np.abs(in_bytes - in_floats).max() > 5
    ours = PoolFormerImageProcessor(size=100, crop_pct=None, do_center_crop=False, **PLAIN)(pixels).pixel_values[0]
    assert np.abs(np.moveaxis(ours.numpy().astype(int), 0, -1) - in_bytes).max() <= 1


# --- the tensor processor against the PIL one


def grey_levels_apart(picture: Any, options: dict[str, Any]) -> np.ndarray:
    """The absolute differences, in grey levels, between the two processors' views of a picture, as one flat array."""
    tensors = PoolFormerImageProcessor(**options, **PLAIN)(picture).pixel_values
    arrays = PoolFormerImageProcessorPil(**options, **PLAIN)(picture).pixel_values
    pairs = zip(tensors, arrays, strict=True)
    return np.concatenate([np.abs(mine.numpy().astype(int) - other.astype(int)).ravel() for mine, other in pairs])


@pytest.mark.parametrize("seed", range(240))
def test_tensor_processor_is_within_one_grey_level_of_pil_when_it_shrinks(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    picture, needed = random_input(rng, FORMS_OF_BYTES, edges_px=(72, 180))
    options = {name: v for name, v in random_options(rng, filters=[2, 3]).items() if name not in PLAIN} | needed
    options["crop_size"] = 4  # smaller than any picture: padding differs by design, and is tested below
    assert grey_levels_apart(picture, options).max() <= 1, f"seed {seed}"


@pytest.mark.parametrize("resample", [1, 2, 3])
def test_tensor_processor_is_close_to_pil_when_it_enlarges(resample: int) -> None:
    options: dict[str, Any] = {"size": 150, "do_center_crop": False, "resample": resample}
    apart = [
        grey_levels_apart(Image.fromarray(random_pixels(np.random.default_rng(seed), 60, 80)), options)
        for seed in range(20)
    ]
    assert np.max(apart) <= 2
    assert np.mean(np.array(apart) > 1) < 3e-4


@BOTH
@pytest.mark.parametrize(("length", "target"), [(7, 5), (5, 7), (100, 33), (33, 100), (64, 8)])
def test_nearest_takes_the_pixel_that_holds_the_centre(
    processor_class: type[PoolFormerImageProcessorPil], length: int, target: int
) -> None:
    ramp = np.arange(length, dtype=np.uint8).reshape(1, length, 1).repeat(3, axis=-1)
    size = {"height": 1, "width": target}
    processor = processor_class(size=size, crop_pct=None, do_center_crop=False, resample=0, **PLAIN)
    row = processor(ramp, input_data_format="channels_last", return_tensors="np").pixel_values[0, 0, 0]
    assert row.tolist() == [(2 * n + 1) * length // (2 * target) for n in range(target)]


@pytest.mark.parametrize("seed", range(30))
def test_tensor_arithmetic_is_that_of_pil(seed: int) -> None:
    rng = np.random.default_rng(2000 + seed)
    picture, needed = random_input(rng, ["pil", "last", "first", "tensor", "batch", "list", "unit floats"])
    options = {**random_options(rng, filters=[3]), "do_resize": False, "do_center_crop": False}
    tensors = PoolFormerImageProcessor(**options)(picture, **needed).pixel_values
    arrays = PoolFormerImageProcessorPil(**options)(picture, **needed).pixel_values
    for mine, reference in zip(to_list(tensors), to_list(arrays), strict=True):
        np.testing.assert_allclose(mine, reference, atol=1e-5, rtol=1e-5, err_msg=f"seed {seed}")


@BOTH
@pytest.mark.parametrize(("length", "crop"), [(5, 8), (4, 8), (8, 5), (7, 8), (9, 4)])
def test_centre_crop_pads_and_cuts_where_transformers_does(
    processor_class: type[PoolFormerImageProcessorPil], length: int, crop: int
) -> None:
    # By hand: cut from (length - crop) // 2; pad (crop - length) // 2 before, and PIL's class rounds that up.
    pixels = np.arange(1, length + 1, dtype=np.uint8).reshape(1, length, 1).repeat(3, axis=-1)
    options: dict[str, Any] = {"do_resize": False, "crop_size": {"height": 1, "width": crop}, **PLAIN}
    row = processor_class(**options)(pixels, input_data_format="channels_last", return_tensors="np").pixel_values[
        0, 0, 0
    ]
    missing = max(crop - length, 0)
    before = (missing + 1) // 2 if processor_class is PoolFormerImageProcessorPil else missing // 2
    start = max(length - crop, 0) // 2
    kept = list(range(start + 1, start + 1 + min(crop, length)))
    assert row.tolist() == [0] * before + kept + [0] * (missing - before)


# --- properties


@BOTH
def test_a_mixed_batch_equals_its_pictures_one_by_one(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    rng = np.random.default_rng(5)
    pictures = [Image.fromarray(random_pixels(rng, *shape)) for shape in SHAPES]
    processor = processor_class(size=30, crop_size=28)
    batch = processor(pictures, return_tensors="pt").pixel_values
    singles = torch.cat([processor(picture, return_tensors="pt").pixel_values for picture in pictures])
    assert batch.shape == (len(SHAPES), 3, 28, 28)
    assert torch.equal(batch, singles)


@BOTH
def test_a_batch_array_equals_its_pictures_one_by_one(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    pixels = np.stack([random_pixels(np.random.default_rng(n), 40, 50) for n in range(3)])
    processor = processor_class(size=30, crop_size=28)
    batch = processor(pixels, return_tensors="np").pixel_values
    assert np.array_equal(batch, processor(list(pixels), return_tensors="np").pixel_values)
    assert len(processor(pixels).pixel_values) == 3


@BOTH
@pytest.mark.parametrize(("kind", "expected"), [("pt", torch.Tensor), ("np", np.ndarray), (None, list)])
def test_return_tensors_decides_the_type(
    processor_class: type[PoolFormerImageProcessorPil], kind: str | None, expected: type
) -> None:
    features = processor_class()(Image.new("RGB", (30, 20)), return_tensors=kind)
    assert isinstance(features.pixel_values, expected)
    assert features["pixel_values"] is features.pixel_values


@BOTH
def test_features_feed_the_model(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    model = PoolFormerForImageClassification(
        PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[4, 4, 4, 4], num_labels=7)
    )
    features = processor_class()([Image.new("RGB", (30, 20)), Image.new("RGB", (20, 300))], return_tensors="pt")
    assert model(**features.to("cpu")).logits.shape == (2, 7)
    assert features.to(torch.bfloat16).pixel_values.dtype == torch.bfloat16


@BOTH
def test_the_input_is_left_unchanged(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    pixels = random_pixels(np.random.default_rng(6), 40, 50).astype(np.float32)
    before = pixels.copy()
    processor_class(do_resize=False, do_center_crop=False)(pixels, return_tensors="pt").pixel_values.zero_()
    assert np.array_equal(pixels, before)


@BOTH
def test_read_only_and_reversed_arrays_are_taken(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    pixels = random_pixels(np.random.default_rng(7), 40, 50)
    flipped = pixels[:, ::-1]
    pixels.setflags(write=False)
    processor = processor_class(size=30, crop_size=28)
    for array in (pixels, flipped):
        assert torch.equal(
            processor(array, return_tensors="pt").pixel_values,
            processor(array.copy(), return_tensors="pt").pixel_values,
        )


@BOTH
def test_an_attribute_set_later_is_used_and_checked(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    processor = processor_class()
    processor.crop_size = 32
    assert processor(Image.new("RGB", (30, 20)), return_tensors="np").pixel_values.shape == (1, 3, 32, 32)
    processor.image_std = 0
    with pytest.raises(ConfigError, match="image_std"):
        processor(Image.new("RGB", (30, 20)))


@BOTH
def test_the_crop_is_what_the_network_sees(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    image = Image.fromarray(random_pixels(np.random.default_rng(8), 300, 401))
    processor = processor_class()
    crop = processor.crop(image)
    assert (crop.mode, crop.size) == ("RGB", (224, 224))
    values = processor(image, return_tensors="np").pixel_values[0]
    undone = values * np.reshape(processor.image_std, (3, 1, 1)) + np.reshape(processor.image_mean, (3, 1, 1))
    assert np.array_equal(np.moveaxis((undone * 255).round().astype(np.uint8), 0, -1), np.asarray(crop))


def test_the_crop_is_cut_from_the_centre() -> None:
    pixels = np.zeros((4, 10, 3), np.uint8)
    pixels[:, 3:7] = 200
    crop = PoolFormerImageProcessorPil(do_resize=False, crop_size=4).crop(Image.fromarray(pixels))
    assert (np.asarray(crop) == 200).all()


@pytest.mark.parametrize(
    ("shape", "size", "crop_pct", "expected"),
    [
        ((480, 640), {"shortest_edge": 224}, 0.9, (248, 330)),
        ((640, 480), {"shortest_edge": 224}, 0.95, (313, 235)),
        ((480, 640), {"height": 224, "width": 224}, 0.9, (248, 330)),
        ((480, 640), {"height": 224, "width": 224}, None, (224, 224)),
        ((480, 640), {"height": 100, "width": 90}, 0.9, (111, 100)),
        ((100, 100), {"shortest_edge": 32}, 1.0, (32, 32)),
    ],
)
def test_resized_size(shape: tuple[int, int], size: dict[str, int], crop_pct: float, expected: tuple[int, int]) -> None:
    assert resized_size(*shape, size, crop_pct) == expected


# --- refusals


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("size", {"shortest_edge": 0}),
        ("size", {"longest_edge": 224}),
        ("size", "224"),
        ("size", True),
        ("size", [224]),
        ("crop_size", {"shortest_edge": 224}),
        ("crop_size", (3, -1)),
        ("crop_pct", 0),
        ("crop_pct", 1000.0),
        ("crop_pct", float("nan")),
        ("resample", 6),
        ("resample", "bicubic"),
        ("do_resize", "yes"),
        ("rescale_factor", None),
        ("rescale_factor", 0),
        ("image_mean", "red"),
        ("image_mean", []),
        ("image_std", [0.2, 0.0, 0.2]),
        ("input_data_format", "HWC"),
        ("data_format", "CHW"),
        ("return_tensors", "tf"),
    ],
)
@BOTH
def test_a_bad_option_is_refused_by_name(
    processor_class: type[PoolFormerImageProcessorPil], option: str, value: Any
) -> None:
    for attempt in (lambda: processor_class(**{option: value}), lambda: processor_class()(None, **{option: value})):
        with pytest.raises(ConfigError, match=f"^{option} is .* must be "):
            attempt()


@pytest.mark.parametrize("resample", [4, 5])
def test_box_and_hamming_exist_for_pil_only(resample: int) -> None:
    assert PoolFormerImageProcessorPil(resample=resample).resample == resample
    with pytest.raises(ConfigError, match=r"box and hamming need PoolFormerImageProcessorPil"):
        PoolFormerImageProcessor(resample=resample)


@BOTH
def test_an_unknown_option_is_refused(processor_class: type[PoolFormerImageProcessorPil]) -> None:
    with pytest.raises(ConfigError, match="no option sise"):
        processor_class()(Image.new("RGB", (30, 20)), sise=224)


@pytest.mark.parametrize(
    ("picture", "options", "message"),
    [
        (None, {}, "NoneType is no picture"),
        ("cat.jpg", {}, "decode_image"),
        ([], {}, "no picture in the list"),
        (np.zeros(5, np.uint8), {}, "dimensions"),
        (np.zeros((0, 5, 3), np.uint8), {}, "none of them 0"),
        (np.zeros((5, 5, 7), np.uint8), {}, "input_data_format"),
        (np.zeros((5, 5, 3), complex), {}, "complex128"),
        (Image.new("RGB", (0, 5)), {}, "empty"),
        (Image.new("L", (5, 5)), {}, "do_convert_rgb"),
        (np.zeros((1, 9, 3), np.uint8), {}, "input_data_format"),
        (np.full((5, 5, 3), 300), {}, "0 to 255"),
        (np.full((5, 5, 4), 1.5), {"do_convert_rgb": True}, "0 to 1"),
        ([np.zeros((5, 5, 3)), np.zeros((6, 5, 3))], {"do_resize": False, "do_center_crop": False}, "do not fit"),
        (Image.new("RGB", (1, 20000)), {}, "1 x 20000 pixels"),
    ],
)
@BOTH
def test_a_bad_picture_is_refused_in_a_sentence(
    processor_class: type[PoolFormerImageProcessorPil], picture: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        processor_class()(picture, return_tensors="pt", **options)
    assert str(caught.value).endswith(".")


def test_floats_that_are_no_picture_are_refused_by_pil() -> None:
    for value in (1.5, -0.1, float("nan"), float("inf")):
        with pytest.raises(ImageError, match="0 to 1"):
            PoolFormerImageProcessorPil()(np.full((5, 5, 3), value))


@BOTH
def test_the_crop_of_anything_but_one_picture_of_bytes_is_refused(
    processor_class: type[PoolFormerImageProcessorPil],
) -> None:
    for picture in ([Image.new("RGB", (9, 9))] * 2, np.zeros((2, 9, 9, 3), np.uint8), np.full((9, 9, 3), 0.5)):
        with pytest.raises(ImageError, match=r"one picture at a time|8 bits"):
            processor_class().crop(picture)


def test_a_folder_without_a_file_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no preprocessor_config\.json"):
        PoolFormerImageProcessorPil.from_pretrained(tmp_path)
    file = tmp_path / "preprocessor_config.json"
    for text, message in (("{", "not valid JSON"), ("[]", "must hold an object"), ('{"size": "big"}', "size is 'big'")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=message):
            PoolFormerImageProcessorPil.from_pretrained(tmp_path)


def test_overrides_win_and_unknown_keys_survive(tmp_path: Path) -> None:
    processor = PoolFormerImageProcessorPil.from_dict(OLD_FILE, crop_pct=1.0)
    assert (processor.crop_pct, processor.size) == (1.0, {"shortest_edge": 224})
    processor.save_pretrained(tmp_path)
    again = PoolFormerImageProcessor.from_pretrained(tmp_path, do_resize=False, device="cpu")
    assert again.extra == {"do_resize_crop": True}
    assert not again.do_resize
    assert "device" not in again.to_dict()
