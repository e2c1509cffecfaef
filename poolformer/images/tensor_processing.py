"""The image processor with torch: pictures in, the network's pixel_values out, on any device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from poolformer.images.arrays import array_to_rgb, channels_first, pil_to_rgb
from poolformer.images.geometry import CropWindow
from poolformer.images.options import refuse
from poolformer.images.processing import ImageProcessor
from poolformer.images.resampling import TORCH_MODES, resize_tensor


@dataclass(kw_only=True)
class PoolFormerImageProcessor(ImageProcessor[torch.Tensor]):
    """Pictures to `pixel_values` with torch, on the device that the pictures are on, or on `device`.

    The options are those of `ProcessorOptions`, without the filters box and hamming. Pictures of whole numbers are
    resized in 8 bits: shrunk, they agree with `PoolFormerImageProcessorPil` within one grey level (enlarged: see
    `poolformer.images.resampling`; nearest: the two may take different neighbours where two are equally near). Floats
    are resized as floats.
    A batch tensor stays whole; a list costs what its pictures cost one by one.

    >>> processor = PoolFormerImageProcessor(crop_size={"height": 192, "width": 256})
    >>> processor(torch.zeros(2, 3, 300, 400, dtype=torch.uint8), return_tensors="pt").pixel_values.shape
    torch.Size([2, 3, 192, 256])
    """

    pads_extra_before = False

    device: str | int | torch.device | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.do_resize and self.resample not in TORCH_MODES:
            known = ", ".join(f"{filter_.value} ({filter_.name.lower()})" for filter_ in sorted(TORCH_MODES))
            refuse("resample", int(self.resample), f"one of {known}; box and hamming need PoolFormerImageProcessorPil")

    def _parts(self, entry: Any) -> list[Any]:
        return [entry]

    def _open(self, image: Any) -> torch.Tensor:
        layout = self.input_data_format
        if isinstance(image, Image.Image):
            image, layout = np.array(pil_to_rgb(image) if self.do_convert_rgb else image), "channels_last"
        if isinstance(image, np.ndarray):
            image = torch.from_numpy(np.require(image, image.dtype.newbyteorder("="), ["C", "W"]))
        pixels: torch.Tensor = channels_first(image if self.device is None else image.to(self.device), layout)
        return array_to_rgb(pixels) if self.do_convert_rgb else pixels

    def _resize(self, image: Any) -> torch.Tensor:
        pixels = self._open(image)
        height, width = pixels.shape[-2:]
        return resize_tensor(pixels, *self._target_size(height, width), Image.Resampling(self.resample))

    def _padded(self, view: torch.Tensor, window: CropWindow) -> torch.Tensor:
        canvas = view.new_zeros((*view.shape[:-2], window.height_px, window.width_px))
        canvas[..., window.target[0], window.target[1]] = view
        return canvas

    def _scale(self, pixels: torch.Tensor) -> torch.Tensor:
        if not self.do_normalize:
            return pixels * self.rescale_factor if self.do_rescale else pixels.contiguous()
        self._check_channels(pixels.shape[-3])
        mean, std = (
            torch.tensor(v, dtype=torch.float32, device=pixels.device).reshape(-1, 1, 1)
            for v in (self.image_mean, self.image_std)
        )
        if self.do_rescale:
            # Folded into the normalisation, as in `transformers`: one pass over the pixels fewer.
            mean, std = mean * (1 / self.rescale_factor), std * (1 / self.rescale_factor)
        return pixels.to(torch.float32).sub(mean).div_(std).contiguous()
