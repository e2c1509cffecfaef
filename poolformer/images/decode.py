"""From a file to an upright 8-bit RGB picture: the one place that opens untrusted bytes."""

from __future__ import annotations

import io
import math
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageFile, PngImagePlugin

from poolformer.errors import ImageError
from poolformer.images.colour import to_rgb
from poolformer.images.formats import ACCEPTED, HEAD_BYTES, RefusedError, format_of
from poolformer.images.gif_blocks import is_animation
from poolformer.images.jpeg_segments import check_segments
from poolformer.images.png_chunks import check_chunks
from poolformer.images.tiff_tags import check_tags, exif_orientation

# A picture takes up to 8 bytes a pixel while it is converted, so this is 512 MiB for one: room for the 50 megapixels of
# a phone, and a file of a few kilobytes that claims more is refused before its pixels take memory. Pillow's own limit
# is higher.
MAX_PIXELS = 2**26
# Their decoders take up to 16 bytes a pixel.
MAX_PIXELS_OF = {"WEBP": 2**25, "AVIF": 2**25}
# A JPEG of more pixels is decoded at a quarter of its width and height, which libjpeg does without the rest. Up to here
# a picture of any format has the pixels that Pillow gives it.
MAX_FULL_SCALE_PIXELS = 2**24
REDUCTION = 4
# What libjpeg keeps of a large progressive JPEG at any scale: with the reduced picture, below 100 MB in all.
MAX_BUFFERED_BYTES = 88_000_000
MAX_RLE_PIXELS = 2**22  # Pillow decodes run-length encoded BMPs in Python, at about a microsecond a pixel
RLE_COMPRESSIONS = (1, 2)
# Characters of text in a PNG, each of up to 4 bytes; Pillow's own limit is 8 times that.
PngImagePlugin.MAX_TEXT_MEMORY = 2**23
# Pillow would give the memory of every picture back to the system, and the next would get it page by page: for a large
# JPEG that takes half as long as decoding it. Up to 64 MiB are kept, a picture of MAX_FULL_SCALE_PIXELS, in blocks so
# small that a small picture in between spoils few of them.
KEPT_BLOCKS, BLOCK_BYTES = 2**8, 2**18
PILLOW: Any = Image.core  # type: ignore[attr-defined]  # documented ("Block allocator") and not typed
PILLOW.set_block_size(BLOCK_BYTES)
PILLOW.set_blocks_max(KEPT_BLOCKS)
# The orientation of an AVIF is a property of its own; Pillow still reads all EXIF data, and `tiff_tags` says why that
# is not safe. The name of the data is changed where the list of items has it.
AVIF_EXIF = re.compile(rb"(?<=infe.{8})Exif|(?<=infe.{10})Exif", re.DOTALL)
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
FIRST_FRAME = "This is an animation: only its first frame was used."
FIRST_PAGE = "This TIFF has several pages: only the first was used."
UNUSED_PROFILE = "The colour profile of this picture cannot be used: its colours may be off."


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A picture of mode RGB, and a sentence for each thing about it that a person would not expect."""

    image: Image.Image
    notes: tuple[str, ...] = ()


def decode_image(source: str | os.PathLike[str] | bytes) -> Image.Image:
    """The picture of `decode_with_notes`, without the notes."""
    return decode_with_notes(source).image


def decode_with_notes(source: str | os.PathLike[str] | bytes) -> DecodedImage:
    """The picture in a file, or in a file's bytes: mode RGB, 8 bits a channel, upright, as a person sees it.

    Accepts JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF, told by content and not by name; nothing else is opened. It is
    turned as its EXIF orientation says, transparency goes on white, and greys of more bits and colour profiles become
    8 bits of sRGB, see `colour.to_rgb`. EXIF data and profiles that cannot be read are ignored.

    A note tells of the first frame of an animation or page of a TIFF, which alone counts; of a profile that could not
    be used; and of a JPEG of more than MAX_FULL_SCALE_PIXELS, which is decoded at a quarter of its width and height.

    Not told from a sound picture is a damage that its format cannot show. PNG has a checksum for everything. JPEG,
    WebP, GIF, BMP, AVIF and most TIFFs have none: a file that is cut off is refused, one whose bytes were changed is
    refused unless they still make a picture.

    Raises:
        ImageError: there is no such file, it is empty, not of an accepted format, damaged, or takes too much: more than
            MAX_PIXELS, or MAX_PIXELS_OF its format; more than MAX_RLE_PIXELS of a run-length encoded BMP; or, for a
            progressive JPEG that has to be reduced, more than MAX_BUFFERED_BYTES. A lossless JPEG is not opened.

    >>> buffer = io.BytesIO()
    >>> Image.new("1", (4, 3), 1).save(buffer, "GIF", save_all=True, append_images=[Image.new("1", (4, 3))])
    >>> decoded = decode_with_notes(buffer.getvalue())
    >>> decoded.image.getpixel((0, 0)), decoded.notes
    ((255, 255, 255), ('This is an animation: only its first frame was used.',))
    """
    name = "The picture" if isinstance(source, bytes) else _short_name(source)
    with _opened(source, name) as stream, _quiet_pillow():
        file_format = format_of(stream.read(HEAD_BYTES))
        if file_format is None:
            raise ImageError(f"{name} is no picture that can be opened; accepted are {ACCEPTED}.")
        try:
            return _decoded(stream, file_format)
        except RefusedError as error:
            raise ImageError(f"{name} {error}.") from error
        except Exception as error:  # a codec raises anything on damaged bytes: OSError, SyntaxError, struct.error, ...
            raise ImageError(f"{name} is truncated or damaged; save or download it again.") from error


def _short_name(path: str | os.PathLike[str]) -> str:
    name = Path(path).name or "The picture"
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"


def _opened(source: str | os.PathLike[str] | bytes, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        if not source:
            raise ImageError("The picture is empty (0 bytes); choose another file.")
        return io.BytesIO(source)
    if os.path.isdir(source):  # Unlike Path.is_dir, False for any string at all that is no folder.
        raise ImageError(f"{name} is a folder; give the path of one picture.")
    if not os.path.isfile(source):
        raise ImageError(f"There is no file {name}; check its path.")
    path = Path(source)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise ImageError(f"{name} cannot be read ({error.strerror}); check its permissions.") from error
    if os.fstat(stream.fileno()).st_size == 0:
        stream.close()
        raise ImageError(f"{name} is empty (0 bytes); choose another file.")
    return stream


def _decoded(stream: BinaryIO, file_format: str) -> DecodedImage:
    """The picture in a file of this format; raises RefusedError, and anything at all where it is damaged."""
    if file_format == "AVIF":
        stream.seek(0)
        stream = io.BytesIO(AVIF_EXIF.sub(b"skip", stream.read()))
    buffered_bytes, has_more = _checked(stream, file_format)
    image = _identified(stream, file_format)
    notes = []
    if file_format == "JPEG" and image.width * image.height > MAX_FULL_SCALE_PIXELS:
        notes.append(_reduce(image, buffered_bytes))
    if has_more or (file_format in ("PNG", "WEBP", "AVIF", "TIFF") and getattr(image, "is_animated", False)):
        notes.append(FIRST_PAGE if file_format == "TIFF" else FIRST_FRAME)
    area = image.tile[0].extents if file_format == "GIF" else None
    image.load()
    exif = image.info.get("exif")
    rgb, has_unused_profile = to_rgb(image)
    del image  # Turning the picture takes as much memory again.
    if has_unused_profile:
        notes.append(UNUSED_PROFILE)
    if area is not None and area != (0, 0, *rgb.size):  # where a GIF has no pixels, browsers show what is behind it
        canvas = Image.new("RGB", rgb.size, "white")
        canvas.paste(rgb.crop(area), area[:2])
        rgb = canvas
    return DecodedImage(_upright(rgb, exif_orientation(exif) if isinstance(exif, bytes) else 1), tuple(notes))


def _checked(stream: BinaryIO, file_format: str) -> tuple[int, bool]:
    """What a decoder keeps of a whole JPEG, in bytes, and whether a GIF has more than one picture.

    First of all the parts of the file are such that Pillow may read them: this is where the bombs are that do not lie
    in the number of pixels.
    """
    if file_format == "JPEG":
        return check_segments(stream), False
    if file_format == "GIF":
        return 0, is_animation(stream)
    if file_format == "PNG":
        check_chunks(stream)
    elif file_format == "TIFF":
        _refuse_beyond(MAX_PIXELS, check_tags(stream))
    return 0, False


def _refuse_beyond(limit: int, pixels: float) -> None:
    if pixels > limit:
        raise RefusedError(f"has more than {limit} pixels; make it smaller and try again")


def _identified(stream: BinaryIO, file_format: str) -> ImageFile.ImageFile:
    """The picture with its size known and no pixel decoded."""
    limit = MAX_PIXELS_OF.get(file_format, MAX_PIXELS)
    try:
        image = Image.open(stream, formats=[file_format])
    except Image.DecompressionBombError:
        _refuse_beyond(limit, math.inf)
        raise
    pixels = image.width * image.height
    _refuse_beyond(limit, pixels)
    if file_format == "BMP" and image.info["compression"] in RLE_COMPRESSIONS and pixels > MAX_RLE_PIXELS:
        raise RefusedError(f"is a run-length encoded BMP of more than {MAX_RLE_PIXELS} pixels; save it as PNG")
    return image


def _reduce(image: ImageFile.ImageFile, buffered_bytes: int) -> str:
    """Has a JPEG decoded at the smaller scale; the note that says so."""
    megapixels = image.width * image.height / 1e6
    if buffered_bytes > MAX_BUFFERED_BYTES:
        raise RefusedError(
            f"is a progressive JPEG of {megapixels:.0f} megapixels, which takes too much memory; save it as a baseline "
            "JPEG, or make it smaller"
        )
    image.draft(None, (image.width // REDUCTION, image.height // REDUCTION))
    return f"This JPEG of {megapixels:.0f} megapixels was opened at a quarter of its width and height."


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
