"""Many small maps as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from poolformer.render.colormaps import Picture, Values, apply_colormap
from poolformer.render.enlarge import enlarge, scaled_shape

PLATE, INK = (38, 43, 54), (236, 239, 244)  # a dark plate with light text: 12:1, whatever page is behind it
PLATE_PX, FONT_PX = 20, 13


def channel_atlas(
    channels: Values,
    colormap: str,
    low: float,
    high: float,
    columns: int = 4,
    cell_px: int = 112,
    gap_px: int = 6,
    labels: Sequence[str] | None = None,
) -> Picture:
    """`channels` (K, H, W) as a grid of maps with one colour map and one range, row by row: uint8 RGBA.

    Each map's longer edge is `cell_px`; its cells stay sharp. With `labels`, one a map, each map stands on a plate of
    PLATE_PX pixels that carries its label, so that no value is covered. Gaps, and places after the last map, are
    transparent: the page's own background shows there, light or dark.
    """
    count, height, width = channels.shape
    tile_height_px, tile_width_px = scaled_shape(height, width, cell_px)
    plate_px = PLATE_PX if labels else 0
    step_y, step_x = tile_height_px + plate_px + gap_px, tile_width_px + gap_px
    rows = -(-count // columns)
    atlas = np.zeros((rows * step_y - gap_px, columns * step_x - gap_px, 4), dtype=np.uint8)
    for k, painted in enumerate(apply_colormap(channels, colormap, low, high)):
        y, x = k // columns * step_y, k % columns * step_x
        tile = atlas[y : y + tile_height_px + plate_px, x : x + tile_width_px]
        tile[..., 3] = 255
        tile[:tile_height_px, :, :3] = enlarge(painted, cell_px)
        if labels:
            tile[tile_height_px:, :, :3] = _plate(labels[k], tile_width_px)
    return atlas


def _plate(label: str, width_px: int) -> Picture:
    plate = Image.new("RGB", (width_px, PLATE_PX), PLATE)
    ImageDraw.Draw(plate).text((width_px / 2, PLATE_PX / 2), label, INK, _font(), anchor="mm")
    return np.asarray(plate)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(FONT_PX)
