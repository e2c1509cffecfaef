"""How many cells each stage has, from the config and the size of the picture alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from poolformer.errors import ImageError

if TYPE_CHECKING:
    from poolformer.nn.config import PoolFormerConfig


def cells_along(
    edge_px: int, patch_sizes: Sequence[int], strides: Sequence[int], padding: Sequence[int]
) -> tuple[int, ...]:
    """How many cells each stage has along an edge of `edge_px` pixels; below 1 where the picture is too small.

    >>> cells_along(224, [7, 3, 3, 3], [4, 2, 2, 2], [2, 1, 1, 1])
    (56, 28, 14, 7)
    """
    cells = [edge_px]
    for patch_size, stride, added in zip(patch_sizes, strides, padding, strict=True):
        cells.append((cells[-1] + 2 * added - patch_size) // stride + 1)
    return tuple(cells[1:])


def stage_sizes(config: PoolFormerConfig, height_px: int, width_px: int) -> tuple[tuple[int, int], ...]:
    """(height, width) of every stage in cells, for a picture of `height_px` x `width_px` pixels.

    Raises:
        ImageError: the picture is smaller than a patch, so that a stage would have no cell.
    """
    heights, widths = (
        cells_along(edge_px, config.patch_sizes, config.strides, config.padding) for edge_px in (height_px, width_px)
    )
    sizes = tuple(zip(heights, widths, strict=True))
    empty = [stage for stage, size in enumerate(sizes, start=1) if min(size) < 1]
    if empty:
        raise ImageError(
            f"A picture of {width_px} x {height_px} pixels is too small for this network: "
            f"stage {empty[0]} would have no cell. Use a larger picture."
        )
    return sizes
