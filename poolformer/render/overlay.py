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
    smooth: bool = False,
    centres: tuple[Positions, Positions] | None = None,
) -> Picture:
    """`picture`, uint8 (H, W, 3) of any size, under `values` (h, w) in colours: uint8 (H, W, 3).

    Every pixel is (1 - opacity) * picture + opacity * colour, rounded; neither side is rescaled, so a colour depends on
    its own value and [low, high] alone. `centres` are the ascending positions of the cells' rows (h,) and columns (w,)
    as fractions of the picture's height and width; each pixel then shows the cell whose centre is nearest. Without them
    the cells divide the picture evenly. smooth=True interpolates values, not colours, linearly between the centres.

    Raises:
        PoolFormerError: opacity is outside [0, 1], or no colour map of that name is offered.
    """
    if not 0 <= opacity <= 1:
        raise PoolFormerError(f"opacity is {opacity!r}; it must be a number from 0 to 1.")
    height_px, width_px = picture.shape[:2]
    row_centres, col_centres = centres or (None, None)
    if smooth:
        values = _between_cells(values, height_px, row_centres)
        values = _between_cells(values.T, width_px, col_centres).T
        colours = apply_colormap(values, colormap, low, high)
    else:
        cells = apply_colormap(values, colormap, low, high)
        rows = _cell_of_pixel(cells.shape[0], height_px, row_centres)
        cols = _cell_of_pixel(cells.shape[1], width_px, col_centres)
        colours = spread(cells, rows, cols)
    blended = picture * np.float32(1 - opacity)
    blended += colours * np.float32(opacity)
    blended += np.float32(0.5)  # the conversion below cuts off, so that this rounds
    return blended.astype(np.uint8)


def _cell_of_pixel(cells: int, size_px: int, centres: Positions | None) -> Indices:
    """The index of the nearest cell for each pixel: (size_px,)."""
    if centres is None:
        return nearest_cells(cells, size_px)
    borders = (centres[1:] + centres[:-1]) / 2
    return np.searchsorted(borders, (np.arange(size_px) + 0.5) / size_px, side="right")


def _between_cells(values: Values, size_px: int, centres: Positions | None) -> Values:
    """(h, w) -> (size_px, w): linear between the rows' centres, constant beyond the first and last."""
    cells = len(values)
    if centres is None:
        centres = (np.arange(cells) + 0.5) / cells
    position = np.interp((np.arange(size_px) + 0.5) / size_px, centres, np.arange(cells))
    below = position.astype(np.intp)
    above = np.minimum(below + 1, cells - 1)
    weight = (position - below)[:, None]
    return values[below] * (1 - weight) + values[above] * weight
