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
from poolformer.training.files import SplitFiles, list_split

# Pictures stay in memory as bytes, 3 a pixel: no epoch decodes them again. 8 GiB is half of what a common machine has,
# and room for 57,000 pictures of 224 x 224.
MEMORY_BUDGET_BYTES = 8 * 2**30


@dataclass(frozen=True)
class LabelledImages:
    """`images` (N, 3, H, W) uint8, `targets` (N,) int64 indices into `classes`."""

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


@dataclass(frozen=True)
class Splits:
    """The pictures of a run. `validation` was set aside from the training pictures; None if nothing was."""

    train: LabelledImages
    validation: LabelledImages | None
    test: LabelledImages


def load_splits(
    root: str | Path, processor: PoolFormerImageProcessorPil, validation_fraction: float, seed: int
) -> Splits:
    """The pictures of `root`/{train,test}/<class>/, cropped as the processor crops.

    `validation_fraction` of each class's training pictures is set aside, drawn from `seed`.

    Raises:
        ImageError: a folder or file cannot be used, train and test have different classes, or all of it takes more than
            MEMORY_BUDGET_BYTES.
    """
    train, test = list_split(root, "train"), list_split(root, "test")
    if train.classes != test.classes:
        odd = ", ".join(sorted(set(train.classes) ^ set(test.classes))[:5])
        raise ImageError(f"{root} has different classes in train and test ({odd}); both need the same folders.")
    _check_memory(len(train) + len(test), processor)
    validation = None
    if validation_fraction:
        train, held_out = train.divided(validation_fraction, seed)
        validation = read_pictures(held_out, processor, "validation")
    return Splits(read_pictures(train, processor, "train"), validation, read_pictures(test, processor, "test"))


def load_split(root: str | Path, split: str, processor: PoolFormerImageProcessorPil) -> LabelledImages:
    """The pictures of `root`/`split`/<class>/, classes in alphabetical order, cropped as the processor crops.

    Raises:
        ImageError: no such folder, a folder without classes or pictures, a file that is no picture (it is named), or
            more pictures than fit in MEMORY_BUDGET_BYTES.
    """
    files = list_split(root, split)
    _check_memory(len(files), processor)
    return read_pictures(files, processor, split)


def read_pictures(files: SplitFiles, processor: PoolFormerImageProcessorPil, name: str) -> LabelledImages:
    """The pictures of `files`, decoded by several threads under a progress bar with that name."""
    images = torch.empty((len(files), 3, *crop_size_px(processor)), dtype=torch.uint8)

    def read(i: int) -> None:
        path = files.paths[i]
        try:
            picture = np.asarray(processor.crop(decode_image(path)))  # (H, W, 3)
        except ImageError as error:
            raise ImageError(f"In {path.parent.parent.name}/{path.parent.name}: {error}") from error
        images[i] = torch.from_numpy(picture.transpose(2, 0, 1).copy())

    with ThreadPoolExecutor() as pool:
        for _ in tqdm(pool.map(read, range(len(files))), total=len(files), desc=f"reading {name}", unit="picture"):
            pass
    return LabelledImages(images, torch.tensor(files.targets), files.classes)


def crop_size_px(processor: PoolFormerImageProcessorPil) -> tuple[int, int]:
    """(height, width) of every picture that the processor gives.

    Raises:
        ImageError: its pictures are of different sizes, because it does not crop.
    """
    if not processor.do_center_crop:
        raise ImageError(
            "The checkpoint's processor does not crop, but a batch needs one size; set its do_center_crop to true."
        )
    return processor.crop_size["height"], processor.crop_size["width"]


def _check_memory(count: int, processor: PoolFormerImageProcessorPil) -> None:
    height, width = crop_size_px(processor)
    needed = count * 3 * height * width
    if needed > MEMORY_BUDGET_BYTES:
        raise ImageError(
            f"{count:,} pictures of {width} x {height} pixels take {needed / 2**30:.1f} GiB of memory, and "
            f"{MEMORY_BUDGET_BYTES / 2**30:g} are allowed; use fewer pictures, or a recipe with smaller image_size_px."
        )


def normalise(images: torch.Tensor, processor: PoolFormerImageProcessorPil) -> torch.Tensor:
    """(B, 3, H, W) uint8 -> float32 pixel_values, rescaled and normalised as the processor does."""
    x = images * processor.rescale_factor if processor.do_rescale else images.float()
    if not processor.do_normalize:
        return x
    mean, std = (
        torch.tensor(values, device=images.device).reshape(-1, 1, 1)
        for values in (processor.image_mean, processor.image_std)
    )
    return (x - mean) / std


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
