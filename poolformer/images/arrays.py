"""Pictures in the forms that people have them: lists, layouts, colour modes and number types, brought into one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from poolformer.errors import ImageError

if TYPE_CHECKING:
    import torch
    from typing_extensions import TypeIs

Array = npt.NDArray[Any]
ArrayOrTensor = TypeVar("ArrayOrTensor", Array, "torch.Tensor")
CHANNEL_COUNTS = (1, 3, 4)


def is_tensor(value: object) -> TypeIs[torch.Tensor]:
    """Whether `value` is a torch tensor. torch takes seconds to import; before somebody has done so nothing is one."""
    tensor_class = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor_class is not None and isinstance(value, tensor_class)


def flatten_images(images: Any) -> list[Any]:
    """The pictures and whole batches, in order, in one picture, one batch array, or lists of these, nested or not.

    Raises:
        ImageError: something in it is no picture, or there is none.
    """
    if isinstance(images, (list, tuple)):
        flat = [image for entry in images for image in flatten_images(entry)]
        if not flat:
            raise ImageError("There is no picture in the list; give at least one.")
        return flat
    if isinstance(images, Image.Image):
        if 0 in images.size:
            raise ImageError(f"A picture of {images.width} x {images.height} pixels is empty; give one with pixels.")
    elif isinstance(images, np.ndarray) or is_tensor(images):
        _check_array(images)
    else:
        raise ImageError(
            f"A {type(images).__name__} is no picture; give a PIL image, a numpy array, a torch tensor or a list of "
            "these, and open files with poolformer.images.decode.decode_image."
        )
    return [images]


def _check_array(array: Array | torch.Tensor) -> None:
    if not 2 <= array.ndim <= 4 or 0 in array.shape:
        raise ImageError(
            f"An array of shape {tuple(array.shape)} is no picture; it must have 2 dimensions (grey), 3 (channels "
            "first or last) or 4 (a batch), none of them 0."
        )
    numeric = array.dtype.kind in "buif" if isinstance(array, np.ndarray) else not array.is_complex()
    if not numeric:
        raise ImageError(f"An array of type {array.dtype} is no picture; it must hold whole numbers or floats.")


def channels_first(array: ArrayOrTensor, layout: str | None) -> ArrayOrTensor:
    """(H, W) as (1, H, W); anything else as a (..., C, H, W) view, its channels found by `channel_axis`."""
    if array.ndim == 2:
        return array[None]
    if channel_axis(tuple(array.shape), layout) == -3:
        return array
    return np.moveaxis(array, -1, -3) if isinstance(array, np.ndarray) else array.movedim(-1, -3)


def channel_axis(shape: tuple[int, ...], layout: str | None) -> int:
    """The axis, -3 or -1, that holds the channels of an array of this shape.

    `layout` is "channels_first", "channels_last" or None: then 1, 3 or 4 entries are taken for channels, at the front
    if both ends have as many, as in `transformers`.

    Raises:
        ImageError: neither end has 1, 3 or 4 entries.

    >>> channel_axis((480, 640, 3), None)
    -1
    """
    if layout is not None:
        return -3 if layout == "channels_first" else -1
    for axis in (-3, -1):
        if shape[axis] in CHANNEL_COUNTS:
            return axis
    raise ImageError(
        f"An array of shape {shape} has no dimension of 1, 3 or 4 channels first or last; "
        "say which one holds them with input_data_format."
    )


def pil_to_rgb(image: Image.Image) -> Image.Image:
    """`image` in mode RGB, transparency on white."""
    if "A" not in image.getbands() and image.info.get("transparency") is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def array_to_rgb(pixels: ArrayOrTensor) -> ArrayOrTensor:
    """(..., C, H, W) with 3 channels: one is repeated, a fourth is opacity over white, other numbers stay as they are.

    Whole numbers range over 0 to 255, floats over 0 to 1; the number type stays.

    Raises:
        ImageError: four channels of floats outside 0 to 1.
    """
    channels = pixels.shape[-3]
    if channels == 1:
        return pixels[..., [0, 0, 0], :, :]
    if channels != 4:
        return pixels
    whole = not (pixels.dtype.kind == "f" if isinstance(pixels, np.ndarray) else pixels.is_floating_point())
    if not whole and (pixels.min() < 0 or pixels.max() > 1):
        raise ImageError("A picture of floats with four channels (the fourth is opacity) must hold values of 0 to 1.")
    white = 255 if whole else 1.0
    opacity = pixels[..., 3:, :, :] / white
    blend = opacity * pixels[..., :3, :, :] + (1 - opacity) * white
    blend = blend.round() if whole else blend
    return blend.astype(pixels.dtype) if isinstance(pixels, np.ndarray) else blend.to(pixels.dtype)


def to_bytes(array: Array) -> tuple[npt.NDArray[np.uint8], bool]:
    """`array` in 8 bits, and whether it was stretched from 0 to 1 for that; whole numbers of 0 to 255 stay.

    Stretched values are cut off, not rounded, as in `transformers`.

    Raises:
        ImageError: values that are neither whole numbers of 0 to 255 nor floats of 0 to 1.
    """
    if array.dtype == np.uint8:
        return array, False
    low, high = array.min(), array.max()
    if low >= 0 and high <= 255 and np.allclose(array, array.astype(int)):
        return array.astype(np.uint8), False
    if low >= 0 and high <= 1:
        return (array.astype(np.float64) * 255).astype(np.float32).astype(np.uint8), True
    raise ImageError(
        f"The picture's values range from {low} to {high}; to be resized it must hold whole numbers of 0 to 255 or "
        "floats of 0 to 1."
    )


def bytes_to_pil(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """(C, H, W) bytes as a PIL image: grey, grey with opacity, RGB, or RGB with opacity.

    Raises:
        ImageError: more than four channels.
    """
    if len(pixels) > 4:
        raise ImageError(f"A picture with {len(pixels)} channels cannot be resized or shown; it must have 1 to 4.")
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
