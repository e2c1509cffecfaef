"""Where the cells of each stage lie in the input picture, and how much of it each can see, from the config alone.

The arithmetic is that of Araujo, Norris and Sim, *Computing Receptive Fields of Convolutional Neural Networks*
(Distill, 2019): a layer with kernel k, stride s and padding p, on cells `stride_px` apart, widens the field by
(k - 1) * stride_px, moves the first centre by ((k - 1) / 2 - p) * stride_px and multiplies the distance by s.

A patch embedding is such a layer. A block's pooling or depthwise convolution is one with kernel `pool_size`, stride 1
and half its size as padding. The identity and the channel MLP are 1 x 1 and change nothing. Self-attention and the
random mixer read the whole map: from the first block that has one on, every cell sees the whole picture.

Group normalisation is left out, and is why the field is not the whole truth: it divides by the deviation, and subtracts
the mean, of the *whole* map, so every pixel has some influence on every cell, but only through these two numbers, which
are the same for all cells. What a cell knows of the *place* of things comes from its receptive field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poolformer.nn.config import PoolFormerConfig
from poolformer.nn.layout import stage_sizes
from poolformer.nn.mixer_facts import MIXER_FACTS


@dataclass(frozen=True)
class StageGeometry:
    """The layout of one stage's cells over the input picture. Pixels are input pixels; pixel i has its centre at i.

    height, width, channels: the stage's shape.
    stride_px: distance between the centres of neighbouring cells.
    receptive_field_px: edge of the square that a cell sees; it may be larger than the picture. None where every cell
        sees the whole picture, however large that is.
    start_px: centre of cell 0, along either axis; cell i has its centre at start_px + i * stride_px.
    """

    height: int
    width: int
    channels: int
    stride_px: int
    receptive_field_px: int | None
    start_px: float


def stage_geometries(config: PoolFormerConfig, height_px: int, width_px: int) -> tuple[StageGeometry, ...]:
    """The geometry of every stage for an input of `height_px` x `width_px`, in order.

    Raises:
        ImageError: the picture is smaller than a patch, so that a stage would have no cell.

    >>> first, *_, last = stage_geometries(PoolFormerConfig(), 224, 224)
    >>> first.height, first.stride_px, first.receptive_field_px, last.height, last.stride_px, last.receptive_field_px
    (56, 4, 23, 7, 32, 431)
    """
    window = MIXER_FACTS[config.token_mixer].window(config)
    geometries: list[StageGeometry] = []
    stride_px, field_px, start_px, is_global = 1, 1, 0.0, False
    sizes = stage_sizes(config, height_px, width_px)
    layers = zip(config.hidden_sizes, config.depths, config.patch_sizes, config.strides, config.padding, strict=True)
    for (height, width), (channels, depth, patch_size, stride, padding) in zip(sizes, layers, strict=True):
        field_px += (patch_size - 1) * stride_px
        start_px += ((patch_size - 1) / 2 - padding) * stride_px
        stride_px *= stride
        if window is not None:
            field_px += depth * (window - 1) * stride_px
        elif depth > 0:
            is_global = True
        geometries.append(StageGeometry(height, width, channels, stride_px, None if is_global else field_px, start_px))
    return tuple(geometries)


def receptive_box(
    geometry: StageGeometry, row: int, col: int, clip_to: tuple[int, int] | None = None
) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of the input pixels that a cell sees; bottom and right are one past the last.

    `clip_to` is the picture's (height_px, width_px); without it the box may reach into the padding outside. A few
    pixels at the bottom and right edge that no patch covers (stride - 1 of a layer at most) are not cut off.

    Raises:
        IndexError: the stage has no such cell.
        ValueError: the cell sees the whole picture, and without `clip_to` nothing says how large that is.
    """
    if not (0 <= row < geometry.height and 0 <= col < geometry.width):
        raise IndexError(f"Cell ({row}, {col}) is not in a stage of {geometry.height} x {geometry.width} cells.")
    if geometry.receptive_field_px is None:
        if clip_to is None:
            raise ValueError("Every cell of this stage sees the whole picture; give its size as clip_to.")
        return 0, 0, *clip_to
    first_px = round(geometry.start_px - (geometry.receptive_field_px - 1) / 2)  # whole: halves of even kernels cancel
    top, left = first_px + row * geometry.stride_px, first_px + col * geometry.stride_px
    bottom, right = top + geometry.receptive_field_px, left + geometry.receptive_field_px
    if clip_to is None:
        return top, left, bottom, right
    return max(top, 0), max(left, 0), min(bottom, clip_to[0]), min(right, clip_to[1])


def cell_centres(
    geometry: StageGeometry, height_px: int, width_px: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where the cells' centres lie, as fractions of the picture's height (rows,) and width (cols,); 0 is its edge.

    They do not divide the picture evenly: a 3 x 3 embedding with stride 2 centres cell i on cell 2i below, not between
    2i and 2i + 1, so the cells of s12's last stage lie 14.5 pixels above and left of an even division of 224 pixels.
    """
    rows, cols = (
        (geometry.start_px + 0.5 + geometry.stride_px * np.arange(cells)) / size_px
        for cells, size_px in ((geometry.height, height_px), (geometry.width, width_px))
    )
    return rows, cols
