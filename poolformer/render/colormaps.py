"""Values to colours, by tables of 256 colours from matplotlib."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from poolformer.errors import PoolFormerError

Picture = npt.NDArray[np.uint8]
Values = npt.NDArray[np.floating[Any]]

SEQUENTIAL = ("inferno", "magma", "viridis", "cividis")
"""For values with one sign, as energy: perceptually uniform, light means much."""

DIVERGING = ("RdBu_r", "PuOr_r", "coolwarm")
"""For values around zero, as channels: red or orange is above, blue or purple below, pale is near zero."""

NOT_A_NUMBER = (128, 128, 128)  # grey of a lightness that is in none of the maps above at low saturation


def apply_colormap(values: Values, name: str, low: float, high: float) -> Picture:
    """`values` of any shape as colours, uint8 (*shape, 3): the first colour is `low`, the last `high`.

    The range is cut into 256 equal steps, as matplotlib does. Values beyond it, infinities too, get the first or last
    colour; NaN is mid-grey. If low equals high, that value has the middle colour.

    Raises:
        PoolFormerError: no colour map of that name is offered.
    """
    colours = lookup_table(name)
    steps = len(colours)
    values = np.asarray(values, dtype=np.float64)
    if low < high:
        index = np.clip((values - low) / (high - low) * steps, 0, steps - 1)
    else:
        index = np.select([values < low, values > high], [0.0, steps - 1.0], steps / 2)
    unknown = np.isnan(values)
    painted: Picture = colours[np.where(unknown, 0, index).astype(np.intp)]
    painted[unknown] = NOT_A_NUMBER
    return painted


def quantise(rgb: Values) -> Picture:
    """Colours in [0, 1] of any shape as the nearest uint8 in [0, 255]; what lies outside is clipped."""
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


@lru_cache
def lookup_table(name: str) -> Picture:
    """The 256 colours of a map, uint8 (256, 3), from low to high; read-only.

    Raises:
        PoolFormerError: no colour map of that name is offered.
    """
    if name not in SEQUENTIAL + DIVERGING:
        raise PoolFormerError(f"colormap is {name!r}; it must be one of {', '.join(SEQUENTIAL + DIVERGING)}.")
    from matplotlib import colormaps  # here, because it takes longer to import than everything else in this package

    table = np.ascontiguousarray(colormaps[name](np.arange(256), bytes=True)[:, :3])
    table.flags.writeable = False
    return table
