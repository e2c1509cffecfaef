"""JPEG's segments: whether they are put together as they should be, and how much memory it takes to decode them.

Layout: ITU-T T.81 (1992), annex B. Every segment begins with a marker, 0xFF and a byte; most go on with their length.
After the header of a scan (SOS) come its data, in which 0xFF is followed by 0 or by a restart marker. There is no
checksum: data that were changed to others which can be decoded cannot be told from true ones.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from poolformer.images.formats import RefusedError
from poolformer.images.tiff_tags import EXIF_PREFIX, check_exif

SOI, EOI, SOS, APP1, APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
SEQUENTIAL_FRAMES, PROGRESSIVE_FRAMES = (0xC0, 0xC1, 0xC9), (0xC2, 0xCA)
OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF)  # lossless or hierarchical
TABLES = (0xC4, 0xCC, 0xDB, 0xDC, 0xDD)
COMMENTS = (*range(0xE0, 0xF0), 0xFE)  # and what applications add
WITH_CONTENT = (SOS, *SEQUENTIAL_FRAMES, *PROGRESSIVE_FRAMES, *OTHER_FRAMES, *TABLES, *COMMENTS)
ALONE = (0x00, 0x01, *range(0xD0, 0xD8), SOI)  # markers without a length, and no marker at all
END_OF_DATA = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
MPF_PREFIX = b"MPF\0"
COEFFICIENT_BYTES = 2
PIECE_BYTES = 2**16  # read at a time
# Far more than any camera writes, and few enough to be read in a moment; Pillow's reader, in Python, has no limits.
MAX_SEGMENTS = 4096
MAX_EXIF_SEGMENTS = 64
MAX_STRAY_BYTES = 2**16  # between segments
MAX_SCANS = 100  # progressive JPEGs have about 10, and each goes over the whole picture


def check_segments(stream: BinaryIO) -> int:
    """The bytes that a decoder keeps of the whole picture, at whatever scale it decodes.

    That is 0 if it decodes as it reads; else, for progressive JPEGs and those whose colours come one after the other,
    all coefficients.

    Raises:
        RefusedError: a lossless or hierarchical JPEG. No browser shows one, and none can be decoded at a smaller scale.
        ValueError: a marker where none can be, a frame missing, or twice, too many segments or scans, or EXIF data
            that ask for too much.
    """
    frame, is_buffered, scan_count = b"", False, 0
    exif: list[bytes] = []
    pictures = b""  # where more pictures are in the file; the last such list counts, as for Pillow
    for marker, body in _segments(stream):
        if marker in OTHER_FRAMES:
            raise RefusedError("is a lossless or hierarchical JPEG; save it as an ordinary one")
        if marker in SEQUENTIAL_FRAMES + PROGRESSIVE_FRAMES:
            if frame or len(body) < 6 + 3 * body[5]:
                raise ValueError("a second frame, or one cut short")
            frame, is_buffered = body, marker in PROGRESSIVE_FRAMES
        elif marker == SOS:
            scan_count += 1
            is_buffered = is_buffered or body[0] < frame[5]
        elif marker == APP1 and body.startswith(EXIF_PREFIX):
            exif.append(body.removeprefix(EXIF_PREFIX))
        elif marker == APP2 and body.startswith(MPF_PREFIX):
            pictures = body.removeprefix(MPF_PREFIX)
        if scan_count > MAX_SCANS or len(exif) > MAX_EXIF_SEGMENTS:
            raise ValueError("too many scans or segments of EXIF data")
    if not scan_count:
        raise ValueError("no scan")
    check_exif(b"".join(exif))
    check_exif(pictures)
    return _coefficient_bytes(frame) if is_buffered else 0


def _coefficient_bytes(frame: bytes) -> int:
    """Of all components of a frame: each has a share of the pixels that its sampling factors tell."""
    pixels = int.from_bytes(frame[1:3]) * int.from_bytes(frame[3:5])
    factors = [divmod(frame[7 + 3 * number], 16) for number in range(frame[5])]
    largest = max(h for h, _ in factors) * max(v for _, v in factors)
    return COEFFICIENT_BYTES * pixels * sum(h * v for h, v in factors) // max(largest, 1)


def _segments(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment, up to the end marker or to where the file ends between two."""
    stream.seek(2)  # behind SOI
    stray_bytes = 0
    for _ in range(MAX_SEGMENTS):
        marker, skipped_bytes = _next_marker(stream, MAX_STRAY_BYTES - stray_bytes)
        stray_bytes += skipped_bytes
        if marker == EOI:
            return
        if marker not in WITH_CONTENT:
            raise ValueError(f"the marker {marker:#x} where none can be")
        length = int.from_bytes(stream.read(2)) - 2
        body = stream.read(max(length, 0))
        if length < 0 or len(body) < length:
            raise ValueError("a segment cut short")
        yield marker, body
        if marker == SOS:
            _skip_data(stream)
    raise ValueError("too many segments")


def _next_marker(stream: BinaryIO, allowed_bytes: int) -> tuple[int, int]:
    """The next marker that has content, or EOI, also where the file ends; and the bytes skipped on the way to it."""
    skipped_bytes = 0
    while skipped_bytes <= allowed_bytes:
        byte = stream.read(1)
        if byte == b"\xff":
            while byte == b"\xff" and skipped_bytes <= allowed_bytes:
                byte = stream.read(1)
                skipped_bytes += 1
            if byte and byte[0] not in ALONE:
                return byte[0], skipped_bytes - 1
        if not byte:
            return EOI, skipped_bytes
        skipped_bytes += 1
    raise ValueError("too much between two segments")


def _skip_data(stream: BinaryIO) -> None:
    """Goes to the marker that ends the data of a scan, or to the end of the file."""
    while piece := stream.read(PIECE_BYTES):
        end = END_OF_DATA.search(piece)
        if end:
            stream.seek(end.start() - len(piece), io.SEEK_CUR)
            return
        if piece.endswith(b"\xff") and len(piece) > 1:
            stream.seek(-1, io.SEEK_CUR)  # what follows decides
