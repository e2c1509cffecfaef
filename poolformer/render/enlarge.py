"""Small arrays to pictures of display size, with cells that stay squares of one colour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from poolformer.render.colormaps import Picture

Indices = npt.NDArray[np.intp]


def enlarge(rgb: Picture, size_px: int, *, smooth: bool = False) -> Picture:
    """`rgb`, uint8 (H, W, 3), with its longer edge at `size_px` and its aspect kept (to the nearest pixel, at least 1).

    Each output pixel has the colour of the cell that its centre lies in: edges are sharp at any ratio, and where the
    ratio is not whole, cells differ by one pixel in size (see `crisp_size_px`). smooth=True, Lanczos, is for
    photographs.
    """
    height_px, width_px = scaled_shape(rgb.shape[0], rgb.shape[1], size_px)
    if smooth:
        return np.asarray(Image.fromarray(rgb).resize((width_px, height_px), Image.Resampling.LANCZOS))
    return spread(rgb, nearest_cells(rgb.shape[0], height_px), nearest_cells(rgb.shape[1], width_px))


def spread(rgb: Picture, rows: Indices, cols: Indices) -> Picture:
    """`rgb[rows][:, cols]`: the colour of cell (rows[y], cols[x]) at every pixel, uint8 (len(rows), len(cols), 3)."""
    return rgb.take(cols, axis=1).take(rows, axis=0)  # columns while the array is small, then whole rows are copied


def crisp_size_px(cells: int, target_px: int) -> int:
    """The multiple of `cells` nearest to `target_px`, at least `cells`: at this size all cells are equally large.

    >>> crisp_size_px(56, 448), crisp_size_px(32, 112), crisp_size_px(900, 448)
    (448, 128, 900)
    """
    return cells * max(1, round(target_px / cells))


def scaled_shape(height: int, width: int, size_px: int) -> tuple[int, int]:
    """(height_px, width_px) of the same aspect whose longer edge is `size_px`; at least 1 each."""
    longer = max(height, width)
    return max(1, round(height * size_px / longer)), max(1, round(width * size_px / longer))


def nearest_cells(cells: int, size_px: int) -> Indices:
    """For each of `size_px` pixels the cell, of `cells` equal ones, that its centre lies in: (size_px,)."""
    centres = 2 * np.arange(size_px) + 1  # in half pixels, so that the arithmetic is exact
    return centres * cells // (2 * size_px)
