"""A part of a resized picture, without the rest of it and on all cores.

Pillow resizes in two passes, across and then down, and rounds to 8 bits after each. The first pass treats every row
alike, the second every column, so that bands of rows and then strips of columns can be resized apart from each other.
They get the very pixels that the whole gets, because the edge that a pass resizes is always given whole. Pillow's own
way to a part, `box`, takes its place in 32-bit floats and moves pixels by a grey level.
"""

from __future__ import annotations

import itertools
import math

from PIL import Image

from poolformer.images.sharing import share_out

# Pillow computes other modes in more than these two passes, or in other numbers.
MODES = ("L", "RGB")
TALLEST = 50  # times as high as wide; from 100 on Pillow goes down first, then across
SMALL_PIXELS = 2**16  # below, Pillow is done before the work is shared out
WIDEST_REACH = 3  # pixels on each side that Lanczos, the widest filter, weighs when it enlarges; shrinking widens it
BAND_PIXELS = 2**18  # read at a time: what is copied for it stays in the cache
PIECES = 4  # at least, so that two cores rarely wait for each other


def resized_part(
    image: Image.Image, size: tuple[int, int], resample: Image.Resampling, rows: slice, columns: slice
) -> Image.Image:
    """The pixels `rows` x `columns` of `image.resize(size, resample)`; `size` is (width, height)."""
    in_two_passes = image.mode in MODES and resample != Image.Resampling.NEAREST
    pixels = image.width * image.height
    if not in_two_passes or image.height > TALLEST * image.width or pixels < SMALL_PIXELS:
        return image.resize(size, resample).crop((columns.start, rows.start, columns.stop, rows.stop))
    width, height = columns.stop - columns.start, rows.stop - rows.start
    narrow = Image.new(image.mode, (width, image.height))
    result = Image.new(image.mode, (width, height))

    def resize_across(band: slice) -> None:
        part = image.crop((0, band.start, image.width, band.stop)).resize((size[0], band.stop - band.start), resample)
        narrow.paste(part, (-columns.start, band.start))

    def resize_down(strip: slice) -> None:
        part = narrow.crop((strip.start, 0, strip.stop, image.height))
        result.paste(part.resize((part.width, size[1]), resample), (strip.start, -rows.start))

    share_out(resize_across, _pieces(_read(rows, image.height, size[1]), max(PIECES, math.ceil(pixels / BAND_PIXELS))))
    share_out(resize_down, _pieces(slice(0, width), PIECES))
    return result


def _read(rows: slice, height: int, resized_height: int) -> slice:
    """The rows of a picture that `rows` of the resized picture are made of, and a few more."""
    scale = height / resized_height
    reach = WIDEST_REACH * max(scale, 1.0) + 1
    return slice(max(0, math.floor(rows.start * scale - reach)), min(height, math.ceil(rows.stop * scale + reach)))


def _pieces(span: slice, count: int) -> list[slice]:
    """`span` in at most `count` parts of nearly the same length, none of them empty."""
    length = span.stop - span.start
    ends = sorted({span.start + length * number // count for number in range(count + 1)})
    return [slice(start, stop) for start, stop in itertools.pairwise(ends)]
