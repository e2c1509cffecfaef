"""Labelled pictures from a folder, held in memory, and the augmentation of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from poolformer.errors import ImageError
from poolformer.images.decode import decode_image
from poolformer.images.processing import PoolFormerImageProcessorPil


@dataclass(frozen=True)
class LabelledImages:
    """`images` (N, 3, S, S) uint8, `targets` (N,) int64 indices into `classes`."""

    images: torch.Tensor
    targets: torch.Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.targets)

    def batches(
        self, batch_size: int, order: torch.Tensor | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(images, targets) in `order`, or as stored; the last batch may be smaller."""
        order = torch.arange(len(self)) if order is None else order
        for indices in torch.split(order, batch_size):
            yield self.images[indices], self.targets[indices]


def load_split(root: str | Path, split: str, processor: PoolFormerImageProcessorPil) -> LabelledImages:
    """The pictures of `root`/`split`/<class>/, classes in alphabetical order, cropped as the processor crops.

    Raises:
        ImageError: no such folder, a folder without classes or pictures, or a file that is no picture (it is named).
    """
    folder = Path(root) / split
    classes = tuple(sorted(path.name for path in folder.glob("*/")))
    files = [
        (path, i) for i, name in enumerate(classes) for path in sorted((folder / name).iterdir()) if path.is_file()
    ]
    if not files:
        raise ImageError(
            f"{folder} holds no pictures; the folder must be laid out as {{train,test}}/<class>/<picture>."
        )

    def decode(path: Path) -> torch.Tensor:
        picture = np.asarray(processor.crop(decode_image(path)))  # (H, W, 3)
        return torch.from_numpy(picture.transpose(2, 0, 1).copy())

    with ThreadPoolExecutor() as pool:
        decoded = pool.map(decode, [path for path, _ in files])
        images = torch.stack(list(tqdm(decoded, total=len(files), desc=f"reading {split}", unit="picture")))
    return LabelledImages(images, torch.tensor([target for _, target in files]), classes)


def normalise(images: torch.Tensor, processor: PoolFormerImageProcessorPil) -> torch.Tensor:
    """(B, 3, H, W) uint8 -> float32 pixel_values, with the processor's rescaling, mean and standard deviation."""
    mean = torch.tensor(processor.image_mean, device=images.device)[:, None, None]
    std = torch.tensor(processor.image_std, device=images.device)[:, None, None]
    return (images * processor.rescale_factor - mean) / std


def augment(pixel_values: torch.Tensor, shift_px: int, cutout_px: int, generator: torch.Generator) -> torch.Tensor:
    """Each picture of (B, C, H, W) flipped with probability 1/2, shifted by up to `shift_px`, one square set to 0.

    The border that a shift uncovers mirrors the picture. The square has a side of `cutout_px` pixels around a uniformly
    drawn centre, clipped at the border; normalised pictures have mean 0, so 0 hides without a hint.
    """
    B, _, H, W = pixel_values.shape
    flip = torch.rand(B, 1, 1, 1, generator=generator) < 0.5
    x = torch.where(flip, pixel_values.flip(-1), pixel_values)
    padded = functional.pad(x, [shift_px] * 4, mode="reflect")
    top, left = torch.randint(2 * shift_px + 1, (2, B, 1), generator=generator)
    rows, columns = top + torch.arange(H), left + torch.arange(W)  # (B, H), (B, W)
    x = padded[torch.arange(B)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    centre_y = torch.randint(H, (B, 1, 1, 1), generator=generator)
    centre_x = torch.randint(W, (B, 1, 1, 1), generator=generator)
    hidden_y = (torch.arange(H)[:, None] - centre_y + cutout_px // 2).clamp(-1, cutout_px)
    hidden_x = (torch.arange(W)[None, :] - centre_x + cutout_px // 2).clamp(-1, cutout_px)
    hidden = (hidden_y >= 0) & (hidden_y < cutout_px) & (hidden_x >= 0) & (hidden_x < cutout_px)
    return x.masked_fill(hidden, 0.0)
