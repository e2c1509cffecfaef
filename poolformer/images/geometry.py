"""Sizes and windows: the whole-number arithmetic of resizing and centre cropping, shared by both processors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from poolformer.errors import ImageError

# A picture far longer than wide grows when its short edge is enlarged: 1 x 20000 becomes 248 x 4960000. Above this the
# resized picture alone would take 200 MB, so it is refused. No picture under 1000 times as long as wide is affected
# at the usual sizes (224 to 256 pixels).
MAX_RESIZED_PIXELS = 2**26


def resized_size(
    height_px: int, width_px: int, size: Mapping[str, int], crop_pct: float | None = None
) -> tuple[int, int]:
    """The (height, width) in pixels that a picture is resized to before the centre crop.

    `size` is {"shortest_edge": n}, which keeps the aspect ratio, or {"height": h, "width": w}. `crop_pct` is the share
    of the resized picture that the crop keeps: sizes are divided by it and rounded down, and an equal height and width
    then mean the shortest edge, as in `transformers` and the original evaluation.

    Raises:
        ImageError: the resized picture would have more than MAX_RESIZED_PIXELS, or an edge of no pixels.

    >>> resized_size(480, 640, {"shortest_edge": 224}, crop_pct=0.9)
    (248, 330)
    """
    if "shortest_edge" in size:
        target = _keep_aspect(height_px, width_px, _scaled(size["shortest_edge"], crop_pct))
    elif crop_pct is not None and size["height"] == size["width"]:
        target = _keep_aspect(height_px, width_px, _scaled(size["height"], crop_pct))
    else:
        target = _scaled(size["height"], crop_pct), _scaled(size["width"], crop_pct)
    if target[0] * target[1] > MAX_RESIZED_PIXELS:
        raise ImageError(
            f"The picture has {width_px} x {height_px} pixels and would be resized to {target[1]} x {target[0]}, which "
            f"is more than {MAX_RESIZED_PIXELS} pixels; crop it to a less extreme shape."
        )
    return target


def _scaled(edge_px: int, crop_pct: float | None) -> int:
    return edge_px if crop_pct is None else int(edge_px / crop_pct)


def _keep_aspect(height_px: int, width_px: int, short_px: int) -> tuple[int, int]:
    long_px = int(short_px * max(height_px, width_px) / min(height_px, width_px))
    return (long_px, short_px) if width_px <= height_px else (short_px, long_px)


@dataclass(frozen=True)
class CropWindow:
    """Where a centre crop reads from the picture and where it writes in the result, as (row, column) slices."""

    height_px: int
    width_px: int
    source: tuple[slice, slice]
    target: tuple[slice, slice]

    @property
    def is_padded(self) -> bool:
        """Whether the picture is smaller than the crop along an edge, so that zeros surround it."""
        return self.target != (slice(0, self.height_px), slice(0, self.width_px))


def centre_window(height_px: int, width_px: int, crop_size: Mapping[str, int], extra_before: bool) -> CropWindow:
    """The centre crop of a picture, padded with zeros where the picture is smaller.

    `extra_before` says where the odd pixel of an uneven padding goes: above and to the left, or below and to the right.

    >>> centre_window(5, 2, {"height": 3, "width": 3}, extra_before=True).target
    (slice(0, 3, None), slice(1, 3, None))
    """
    rows = _centre_span(height_px, crop_size["height"], extra_before)
    columns = _centre_span(width_px, crop_size["width"], extra_before)
    return CropWindow(crop_size["height"], crop_size["width"], (rows[0], columns[0]), (rows[1], columns[1]))


def _centre_span(length_px: int, crop_px: int, extra_before: bool) -> tuple[slice, slice]:
    if length_px >= crop_px:
        start = (length_px - crop_px) // 2
        return slice(start, start + crop_px), slice(0, crop_px)
    before = (crop_px - length_px + extra_before) // 2
    return slice(0, length_px), slice(before, before + length_px)
