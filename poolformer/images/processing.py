"""The image processors: pictures in, the network's pixel_values out. Here with PIL and numpy, and what both share.

The one with torch is in `poolformer.images.tensor_processing`, and importable from here. torch takes seconds to import,
and is imported for it alone, or for the first `return_tensors="pt"`.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from poolformer.errors import ConfigError, ImageError
from poolformer.images.arrays import (
    Array,
    ArrayOrTensor,
    array_to_rgb,
    bytes_to_pil,
    channels_first,
    flatten_images,
    is_tensor,
    pil_to_rgb,
    to_bytes,
)
from poolformer.images.batch import BatchFeature, gather
from poolformer.images.geometry import CropWindow, centre_window, resized_size
from poolformer.images.options import ProcessorOptions
from poolformer.images.resized_part import resized_part
from poolformer.lazy import names_from

if TYPE_CHECKING:
    import torch

    from poolformer.images.tensor_processing import PoolFormerImageProcessor as PoolFormerImageProcessor

# The modes that PIL gives back when it reads their numpy array: only these may skip the way through an array, which is
# what `transformers` resizes.
DIRECT_MODES = ("L", "LA", "RGB", "RGBA")


@dataclass(kw_only=True)
class ImageProcessor(ProcessorOptions, Generic[ArrayOrTensor], ABC):
    """What both processors share: the order of the steps, and all sizes and windows."""

    # An uneven padding has its odd pixel above and to the left; `transformers` differs in this between its two classes.
    pads_extra_before: ClassVar[bool]

    def __call__(self, images: Any, **overrides: Any) -> BatchFeature:
        """`pixel_values` of one picture or many; `overrides` are options for this call alone.

        Args:
            images: a PIL image, a numpy array, a torch tensor, or a list of these, of any sizes, mixed or not. Arrays
                are (H, W), (C, H, W), (H, W, C), or a batch of the latter two.

        Returns:
            `pixel_values`, channels first: (B, C, H, W) float32 with return_tensors "pt" or "np", else a list of
            (C, H, W). Without do_rescale and do_normalize the number type is the picture's.

        Raises:
            ImageError: an input that is no picture, or that the options do not fit.
            ConfigError: an option that cannot be used.
        """
        options = self._with(overrides)
        pictures = [picture for entry in flatten_images(images) for picture in options._parts(entry)]
        return BatchFeature(pixel_values=gather([options._values(p) for p in pictures], options.return_tensors))

    def preprocess(self, images: Any, **overrides: Any) -> BatchFeature:
        """The same as calling the processor."""
        return self(images, **overrides)

    def crop(self, image: Any, **overrides: Any) -> Image.Image:
        """The part of one 8-bit picture that the network sees: resized and centre-cropped, not rescaled or normalised.

        Raises:
            ImageError: an input that is not one picture, or not of 8 bits.
        """
        return bytes_to_pil(_shown(self._with(overrides)._only_view(image)))

    def view_and_values(self, image: Any, **overrides: Any) -> tuple[npt.NDArray[np.uint8], torch.Tensor]:
        """What the network sees of one 8-bit picture, (H, W, C), and its float32 pixel_values, (1, C, H, W).

        The same as `crop` and calling the processor, but resized once. Raises as `crop`.
        """
        options = self._with(overrides)
        view = options._only_view(image)
        picture = np.ascontiguousarray(np.moveaxis(_shown(view), 0, -1))  # (C, H, W) -> (H, W, C)
        return picture, gather([options._scale(view)], "pt")

    def _only_view(self, image: Any) -> ArrayOrTensor:
        pictures = flatten_images(image)
        if len(pictures) > 1 or getattr(pictures[0], "ndim", 3) == 4:
            raise ImageError("The crop of several pictures was asked for; give one picture at a time.")
        return self._view(pictures[0])

    def _with(self, overrides: dict[str, Any]) -> Self:
        # Made anew even without overrides, so that an attribute assigned since is checked before it is used.
        unknown = overrides.keys() - {item.name for item in dataclasses.fields(self)}
        if unknown:
            raise ConfigError(f"{type(self).__name__} has no option {', '.join(sorted(unknown))}; see its docstring.")
        return dataclasses.replace(self, **overrides)

    def _values(self, image: Any) -> ArrayOrTensor:
        return self._scale(self._view(image))

    def _view(self, image: Any) -> ArrayOrTensor:
        pixels = self._resize(image) if self.do_resize else self._open(image)
        return self._centre_crop(pixels) if self.do_center_crop else pixels

    def _target_size(self, height_px: int, width_px: int) -> tuple[int, int]:
        return resized_size(height_px, width_px, self.size, self.crop_pct)

    def _centre_crop(self, pixels: ArrayOrTensor) -> ArrayOrTensor:
        height, width = pixels.shape[-2:]
        window = centre_window(height, width, self.crop_size, self.pads_extra_before)
        view = pixels[..., window.source[0], window.source[1]]
        return self._padded(view, window) if window.is_padded else view

    def _check_channels(self, channels: int) -> None:
        for name in ("image_mean", "image_std"):
            values = getattr(self, name)
            if isinstance(values, tuple) and len(values) != channels:
                raise ImageError(
                    f"The picture has {channels} channels and {name} has {len(values)} values; convert it with "
                    "do_convert_rgb=True, or say with input_data_format which dimension holds the channels."
                )

    @abstractmethod
    def _parts(self, entry: Any) -> list[Any]:
        """The pieces that a picture or batch array is processed in."""

    @abstractmethod
    def _open(self, image: Any) -> ArrayOrTensor:
        """The picture as (..., C, H, W), converted to RGB if asked for."""

    @abstractmethod
    def _resize(self, image: Any) -> ArrayOrTensor:
        """The picture opened and resized, (..., C, H, W), or the part of it that the centre crop keeps."""

    @abstractmethod
    def _padded(self, view: ArrayOrTensor, window: CropWindow) -> ArrayOrTensor:
        """`view` on zeros, where the window says."""

    @abstractmethod
    def _scale(self, pixels: ArrayOrTensor) -> ArrayOrTensor:
        """The pixels rescaled and normalised."""


@dataclass(kw_only=True)
class PoolFormerImageProcessorPil(ImageProcessor[Array]):
    """Pictures to `pixel_values` with PIL and numpy, equal to the class of that name in `transformers` within 1e-6.

    The options are those of `ProcessorOptions`. Arrays are resized in 8 bits: whole numbers of 0 to 255, or floats of
    0 to 1, which are returned to 0 to 1 afterwards.

    >>> processor = PoolFormerImageProcessorPil()
    >>> picture = Image.new("RGB", (640, 480), "navy")
    >>> processor(picture, return_tensors="pt").pixel_values.shape
    torch.Size([1, 3, 224, 224])
    >>> processor.crop(picture, crop_size=32).size
    (32, 32)
    """

    pads_extra_before = True

    def _parts(self, entry: Any) -> list[Any]:
        return list(entry) if getattr(entry, "ndim", 3) == 4 else [entry]

    def _open(self, image: Any) -> Array:
        if isinstance(image, Image.Image):
            return channels_first(np.asarray(pil_to_rgb(image) if self.do_convert_rgb else image), "channels_last")
        array: Array = image.detach().cpu().numpy() if is_tensor(image) else image
        array = channels_first(array, self.input_data_format)
        return array_to_rgb(array) if self.do_convert_rgb else array

    def _resize(self, image: Any) -> Array:
        stretched = False
        if isinstance(image, Image.Image) and self.do_convert_rgb:
            image = pil_to_rgb(image)
        if not isinstance(image, Image.Image) or image.mode not in DIRECT_MODES:
            pixels, stretched = to_bytes(self._open(image))
            image = bytes_to_pil(pixels)
        height, width = self._target_size(image.height, image.width)
        rows, columns = slice(0, height), slice(0, width)
        if self.do_center_crop:
            rows, columns = centre_window(height, width, self.crop_size, self.pads_extra_before).source
        part = resized_part(image, (width, height), Image.Resampling(self.resample), rows, columns)
        resized = channels_first(np.asarray(part), "channels_last")
        return _multiplied(resized, 1 / 255) if stretched else resized

    def _padded(self, view: Array, window: CropWindow) -> Array:
        canvas = np.zeros((*view.shape[:-2], window.height_px, window.width_px), view.dtype)
        canvas[..., window.target[0], window.target[1]] = view
        return canvas

    def _scale(self, pixels: Array) -> Array:
        if self.do_normalize:
            self._check_channels(len(pixels))
        if pixels.dtype != np.uint8 or not (self.do_rescale or self.do_normalize):
            return np.require(self._computed(pixels), requirements=["C", "W", "O"])
        # Only 256 inputs are possible: the arithmetic is done once for each, and every pixel looks its value up.
        levels = np.broadcast_to(np.arange(256, dtype=np.uint8), (len(pixels), 1, 256))
        tables = self._computed(levels)
        values = np.empty(pixels.shape, tables.dtype)
        for table, channel, out in zip(tables[:, 0], pixels, values, strict=True):
            np.take(table, channel, out=out, mode="clip")
        return values

    def _computed(self, pixels: Array) -> Array:
        if self.do_rescale:
            pixels = _multiplied(pixels, self.rescale_factor)
        if self.do_normalize:
            dtype = pixels.dtype if pixels.dtype.kind == "f" else np.dtype(np.float32)
            mean, std = (np.array(v, dtype).reshape(-1, 1, 1) for v in (self.image_mean, self.image_std))
            pixels = (pixels.astype(dtype, copy=False) - mean) / std
        return pixels


def _shown(view: Array | torch.Tensor) -> npt.NDArray[np.uint8]:
    """A view (C, H, W) that can be looked at, as an array."""
    pixels: Array = view.cpu().numpy() if is_tensor(view) else view
    if pixels.dtype != np.uint8:
        raise ImageError(f"The crop of a picture of type {pixels.dtype} cannot be shown; give one of 8 bits (uint8).")
    return pixels


def _multiplied(pixels: Array, factor: float) -> Array:
    # In float64 and back, as in `transformers`, so that results agree to the last bit.
    return (pixels.astype(np.float64) * factor).astype(np.float32)


if not TYPE_CHECKING:
    __getattr__ = names_from(__name__, {"PoolFormerImageProcessor": "poolformer.images.tensor_processing"})
