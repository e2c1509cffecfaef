"""A map over the picture that it was computed from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from poolformer.errors import PoolFormerError
from poolformer.render.colormaps import Picture, Values, apply_colormap
from poolformer.render.enlarge import Indices, nearest_cells, spread

Positions = npt.NDArray[np.float64]


def overlay(
    picture: Picture,
    values: Values,
    colormap: str,
    low: float,
    high: float,
    opacity: float = 0.6,
    *,
    centres: tuple[Positions, Positions] | None = None,
) -> Picture:
    """`picture`, uint8 (H, W, 3) of any size, under `values` (h, w) in colours: uint8 (H, W, 3).

    Every pixel is (1 - opacity) * picture + opacity * colour, rounded; neither side is rescaled, so a colour depends on
    its own value and [low, high] alone. `centres` are the ascending positions of the cells' rows (h,) and columns (w,)
    as fractions of the picture's height and width; each pixel then shows the cell whose centre is nearest. Without them
    the cells divide the picture evenly.

    Raises:
        PoolFormerError: opacity is outside [0, 1], or no colour map of that name is offered.
    """
    if not 0 <= opacity <= 1:
        raise PoolFormerError(f"opacity is {opacity!r}; it must be a number from 0 to 1.")
    height_px, width_px = picture.shape[:2]
    row_centres, col_centres = centres or (None, None)
    cells = apply_colormap(values, colormap, low, high)
    rows = _cell_of_pixel(cells.shape[0], height_px, row_centres)
    cols = _cell_of_pixel(cells.shape[1], width_px, col_centres)
    blended = picture * np.float32(1 - opacity)
    blended += spread(cells, rows, cols) * np.float32(opacity)
    blended += np.float32(0.5)  # the conversion below cuts off, so that this rounds
    return blended.astype(np.uint8)


def _cell_of_pixel(cells: int, size_px: int, centres: Positions | None) -> Indices:
    """The index of the nearest cell for each pixel: (size_px,)."""
    if centres is None:
        return nearest_cells(cells, size_px)
    borders = (centres[1:] + centres[:-1]) / 2
    return np.searchsorted(borders, (np.arange(size_px) + 0.5) / size_px, side="right")
