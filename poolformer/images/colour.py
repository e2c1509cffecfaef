"""From Pillow's modes to RGB as a person sees it: greys scaled, colour profiles applied, transparency on white."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from poolformer.images.arrays import pil_to_rgb

# ICC.1:2022, clause 7.2: where the header says how long the profile is, what kind of device it describes, in what
# colours, in what others these are described, and that it is a profile at all.
SIZE, DEVICE, COLOURS, CONNECTION, SIGNATURE = slice(4), slice(12, 16), slice(16, 20), slice(20, 24), slice(36, 40)
DEVICES = (b"mntr", b"scnr", b"prtr", b"spac")
CONNECTIONS = (b"XYZ ", b"Lab ")
MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
MAX_PROFILE_BYTES = 2**22  # profiles of printing presses take up to 3 MB
REMEMBERED_PROFILES = 4  # preparing the one that most photographs have takes ten times as long as decoding a small one
# Profiles of sRGB differ in their last digits from one program to another; what moves no colour by more is sRGB.
SRGB_LEVELS = 2
PROBED_LEVELS = 17  # of each channel
# littlecms tabulates a transformation first; with its usual table the darkest greys may be 7 levels off.
PRECISION = {"RGB": ImageCms.Flags.NONE, "L": ImageCms.Flags.HIGHRESPRECALC, "CMYK": ImageCms.Flags.NONE}
GREY_MODES = ("1", "L", "LA", "La")
BAND_PIXELS = 2**18  # converted at a time, so that what lies between the steps takes little memory


@dataclass(frozen=True)
class ToSrgb:
    """What a colour profile asks for: the mode that the colours must have, and the transformation if there is one."""

    mode: str
    transform: ImageCms.ImageCmsTransform | None


def to_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """A loaded picture of any mode in mode RGB, and whether it has a colour profile that cannot be used.

    Greys of 16 bits are scaled from 0 to 65535; greys of 32 bits and of floats have no agreed white, so their smallest
    value becomes black and their largest white, except that floats within 0 to 1 are scaled from that. An ICC profile
    for RGB, grey or CMYK colours is applied, towards sRGB and with the perceptual intent; one of sRGB itself changes
    nothing. CMYK without a profile is converted as browsers do it: each ink takes its share of the light.

    Up to 4 bytes a pixel are needed beside those of `image`.
    """
    profile = image.info.get("icc_profile")
    to_srgb = _to_srgb(profile) if isinstance(profile, bytes) and _is_plausible(profile) else None
    if to_srgb is not None and not _is_for(to_srgb.mode, image):
        to_srgb = None
    is_unused = bool(profile) and to_srgb is None
    greys = _grey_range(image) if _is_deep(image) else None
    if greys is None and not image.has_transparency_data and (to_srgb is None or to_srgb.transform is None):
        return pil_to_rgb(image), is_unused
    rgb = Image.new("RGB", image.size)
    for box in _bands(image):
        rgb.paste(_band_to_rgb(image.crop(box), greys, to_srgb), box)
    return rgb, is_unused


def _is_deep(image: Image.Image) -> bool:
    """Whether its greys have more than 8 bits."""
    return image.mode == "F" or image.mode.startswith("I")


def _bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes that cover the picture, as wide as it unless that is too much."""
    width = min(image.width, BAND_PIXELS)
    height = BAND_PIXELS // width
    for top in range(0, image.height, height):
        for left in range(0, image.width, width):
            yield left, top, min(left + width, image.width), min(top + height, image.height)


def _band_to_rgb(band: Image.Image, greys: tuple[float, float] | None, to_srgb: ToSrgb | None) -> Image.Image:
    opacity = None
    if greys is not None:
        values, transparent = np.asarray(band), band.info.get("transparency")
        if isinstance(transparent, int):
            opacity = Image.fromarray((values != transparent) * np.uint8(255))
        band = Image.fromarray(_grey_bytes(values, *greys))
    if to_srgb is None or to_srgb.transform is None:
        rgb = pil_to_rgb(band.convert("RGBA") if band.has_transparency_data else band)
    else:
        if band.has_transparency_data:
            whole = band.convert("LA" if to_srgb.mode == "L" else "RGBA")
            band, opacity = whole.convert(whole.mode.removesuffix("A")), whole.getchannel("A")
        rgb = to_srgb.transform.apply(band.convert(to_srgb.mode))
    if opacity is not None:
        rgb.putalpha(opacity)
    return pil_to_rgb(rgb)


def _grey_range(image: Image.Image) -> tuple[float, float]:
    """What becomes black and what becomes white of greys of more than 8 bits."""
    if image.mode.startswith("I;16"):
        return 0.0, 65535.0
    bands = (np.asarray(image.crop(box)) for box in _bands(image))
    finite = [band[np.isfinite(band)] for band in bands]
    ends = [(float(values.min()), float(values.max())) for values in finite if values.size]
    low, high = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 1.0)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _grey_bytes(values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    values = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    scaled = (values - low) * (255 / max(high - low, 1e-300))
    return scaled.round().astype(np.uint8)


@lru_cache(maxsize=REMEMBERED_PROFILES)
def _to_srgb(profile: bytes) -> ToSrgb | None:
    """What a plausible profile asks for; None if it cannot be used. Many threads may use the transformation at once."""
    mode = MODES[profile[COLOURS]]
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=PRECISION[mode])
        return ToSrgb(mode, None if _is_srgb(transform, mode) else transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _is_plausible(profile: bytes) -> bool:
    """Whether the header is that of a device's profile, of a sane size; nothing else reaches the library."""
    return (
        len(profile) <= MAX_PROFILE_BYTES
        and int.from_bytes(profile[SIZE]) <= len(profile)
        and profile[DEVICE] in DEVICES
        and profile[COLOURS] in MODES
        and profile[CONNECTION] in CONNECTIONS
        and profile[SIGNATURE] == b"acsp"
    )


def _is_for(mode: str, image: Image.Image) -> bool:
    """Whether a profile for this mode suits the picture: CMYK for CMYK, grey for greys, RGB for all but CMYK."""
    if mode == "L":
        return image.mode in GREY_MODES or _is_deep(image)
    return (image.mode == "CMYK") == (mode == "CMYK")


def _is_srgb(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether no colour of an even choice moves by more than SRGB_LEVELS."""
    if mode == "CMYK":
        return False
    levels = np.linspace(0, 255, PROBED_LEVELS).round().astype(np.uint8)
    triples = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    probe = Image.fromarray(triples if mode == "RGB" else triples[..., 0].copy())
    before, after = (np.asarray(picture).astype(int) for picture in (probe.convert("RGB"), transform.apply(probe)))
    return int(np.abs(after - before).max()) <= SRGB_LEVELS
