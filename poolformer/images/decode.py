"""From a file to an upright 8-bit RGB picture: the one place that opens untrusted bytes."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from poolformer.errors import ImageError
from poolformer.images.arrays import pil_to_rgb

# Only these codecs of Pillow's ever run, whatever a file is called.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF"
# Pillow keeps 4 bytes a pixel, so this is 256 MiB for one picture: room for the 50 megapixels of a phone, and a file of
# a few kilobytes that claims more is refused before its pixels take memory. Pillow's own limit is higher.
MAX_PIXELS = 2**26
# How to turn a picture whose EXIF orientation is the key (CIPA DC-008, tag 274); 1 is upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MAX_NAME_LENGTH = 60


def decode_image(source: str | os.PathLike[str] | bytes) -> Image.Image:
    """The picture in a file, or in a file's bytes: mode RGB, 8 bits a channel, upright by its EXIF orientation.

    Accepts JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF, told by content and not by name. Transparency goes on white; of an
    animation the first frame counts. Greys of 16 bits are scaled from 0 to 65535; greys of 32 bits and of floats have
    no agreed white, so their smallest value becomes black and their largest white, except that floats within 0 to 1 are
    scaled from that. EXIF data that cannot be read is ignored. Colour profiles are not applied.

    Raises:
        ImageError: there is no such file, it is empty, not of an accepted format, damaged, or has more than MAX_PIXELS.

    >>> buffer = io.BytesIO()
    >>> Image.new("1", (4, 3), 1).save(buffer, "PNG")
    >>> decode_image(buffer.getvalue()).getpixel((0, 0))
    (255, 255, 255)
    """
    name = "The picture" if isinstance(source, bytes) else _short_name(source)
    with _opened(source, name) as stream, _quiet_pillow():
        image = _identified(stream, name)
        try:
            image.load()
            rgb = _to_rgb(image)
        except Exception as error:  # a codec raises anything on damaged bytes: OSError, SyntaxError, struct.error, ...
            raise ImageError(f"{name} is truncated or damaged; save or download it again.") from error
        return _upright(rgb, _orientation(image))


def _short_name(path: str | os.PathLike[str]) -> str:
    name = Path(path).name or "The picture"
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"


def _opened(source: str | os.PathLike[str] | bytes, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        if not source:
            raise ImageError("The picture is empty (0 bytes); choose another file.")
        return io.BytesIO(source)
    path = Path(source)
    if path.is_dir():
        raise ImageError(f"{name} is a folder; give the path of one picture.")
    if not path.is_file():
        raise ImageError(f"There is no file {name}; check its path.")
    try:
        stream = path.open("rb")
    except OSError as error:
        raise ImageError(f"{name} cannot be read ({error.strerror}); check its permissions.") from error
    if os.fstat(stream.fileno()).st_size == 0:
        stream.close()
        raise ImageError(f"{name} is empty (0 bytes); choose another file.")
    return stream


def _identified(stream: BinaryIO, name: str) -> Image.Image:
    """The picture with its size known and no pixel decoded."""
    too_large = f"{name} has more than {MAX_PIXELS} pixels; make it smaller and try again."
    try:
        image = Image.open(stream, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(too_large) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is no picture that can be opened; accepted are {ACCEPTED}, undamaged.") from error
    except Exception as error:  # as in decode_image
        raise ImageError(f"{name} is truncated or damaged; save or download it again.") from error
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(too_large)
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_grey_bytes(np.asarray(image))).convert("RGB")
    return pil_to_rgb(image.convert("RGBA") if image.has_transparency_data else image)


def _grey_bytes(values: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    if values.dtype.itemsize == 2:
        low, high = 0.0, 65535.0
    else:
        values = values.astype(np.float64)
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
    scaled = (values - low) * (255 / max(high - low, 1e-300))
    return scaled.round().astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF data fails in as many ways as a broken picture, and the picture is good without it
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turned = image.transpose(TURNS[orientation]) if orientation in TURNS else image
    # Without the file's metadata: nobody can turn the picture a second time, or pass on where it was taken.
    turned.info = {}
    return turned


class _PillowWarnings:
    """Pillow's warnings about a picture's details, silenced while at least one picture is being decoded.

    `warnings.catch_warnings` alone swaps a global list and is not for threads: of two decoders that overlap, the one
    that ends last would put back what the first one had set. So the first to come swaps and the last to go swaps back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decoders = 0
        self._swapped = ExitStack()

    @contextmanager
    def silenced(self) -> Iterator[None]:
        with self._lock:
            self._decoders += 1
            if self._decoders == 1:
                self._swapped.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            yield
        finally:
            with self._lock:
                self._decoders -= 1
                if self._decoders == 0:
                    self._swapped.close()


_quiet_pillow = _PillowWarnings().silenced
