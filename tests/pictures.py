"""Small pictures as files, sound and otherwise, for the tests of the decoder."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

# 16 x 12 pixels with something in them: a gradient, and noise of few levels.
SMALL = Image.fromarray(
    (
        np.stack(np.broadcast_arrays(np.arange(12)[:, None] * 20, np.arange(16) * 15, 90), axis=-1)
        + np.random.default_rng(0).integers(0, 20, (12, 16, 3))
    ).astype(np.uint8)
)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


# PNG


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims any number of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_with(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """SMALL as a PNG with more chunks before its pixels."""
    content = encoded(SMALL, "PNG")
    start = content.index(b"IDAT") - 4
    return content[:start] + b"".join(png_chunk(*chunk) for chunk in chunks) + content[start:]


# JPEG


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_with(segments: bytes, **options: Any) -> bytes:
    """SMALL as a JPEG with more segments at its beginning."""
    content = encoded(SMALL, "JPEG", **options)
    return content[:2] + segments + content[2:]


def jpeg_claiming(width: int, height: int, **options: Any) -> bytes:
    """A small JPEG whose frame claims any number of pixels."""
    content = bytearray(encoded(SMALL, "JPEG", **options))
    start = next(content.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in content)
    struct.pack_into(">HH", content, start + 5, height, width)
    return bytes(content)


# TIFF and EXIF

Fields = Iterable[tuple[int, int, int, int]]  # tag, type, count, value or offset


def directory(fields: Fields, then: int = 0) -> bytes:
    fields = list(fields)
    return struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHLL", *f) for f in fields) + struct.pack("<L", then)


def tiff(fields: Fields, rest: bytes = b"", then: int = 0) -> bytes:
    """A TIFF, or EXIF data without their prefix: one directory, and what follows it."""
    return b"II*\0" + struct.pack("<L", 8) + directory(fields, then) + rest


def greedy_exif(size_bytes: int) -> bytes:
    """EXIF data of this size whose many entries all point at nearly all of it."""
    count = min((size_bytes - 200) // 12, 20_000)
    exif = tiff((0x1000 + number, 7, size_bytes - 100, 0) for number in range(count))
    return exif.ljust(size_bytes, b"\0")


def claiming(file_format: str, width: int, height: int) -> bytes:
    """A small file of this format that claims any number of pixels."""
    if file_format == "PNG":
        return png_claiming(width, height)
    if file_format == "JPEG":
        return jpeg_claiming(width, height)
    if file_format == "TIFF":
        fields = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8)]
        return tiff([*fields, (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 100)])
    content = bytearray(encoded(SMALL, file_format))
    if file_format == "WEBP":
        struct.pack_into("<HH", content, content.index(b"VP8 ") + 14, width, height)
    elif file_format == "GIF":
        struct.pack_into("<HH", content, 6, width, height)
    elif file_format == "BMP":
        struct.pack_into("<LL", content, 18, width, height)
    else:
        struct.pack_into(">LL", content, content.index(b"ispe") + 8, width, height)
    return bytes(content)


# Colour profiles (ICC.1:2022), made by hand: version 2, from device colours to the profile connection space


def _fixed(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack(">l", round(value * 65536)) for value in values)


def icc_profile(colours: bytes, connection: bytes, tags: Mapping[bytes, bytes], device: bytes = b"mntr") -> bytes:
    white = _fixed((0.9642, 1.0, 0.8249))
    tags = {b"wtpt": b"XYZ \0\0\0\0" + white, b"cprt": b"text\0\0\0\0none\0", **tags}
    start = 128 + 4 + 12 * len(tags)
    table, body = b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">LL", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">L4sL4s4s4s", start + len(body), b"", 0x02400000, device, colours, connection)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + struct.pack(">L", len(tags)) + table + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256))


def rgb_profile(columns: Iterable[Iterable[float]], gamma: float) -> bytes:
    """Of a screen: `columns` are its red, green and blue in XYZ, adapted to D50."""
    tags = {
        name: b"XYZ \0\0\0\0" + _fixed(column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)
    }
    return icc_profile(b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma_curve(gamma)))


def grey_profile(gamma: float) -> bytes:
    return icc_profile(b"GRAY", b"XYZ ", {b"kTRC": gamma_curve(gamma)})


def cmyk_profile(lab: Callable[[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """Of a press: `lab` gives the colour of each of the 16 combinations of no and full ink."""
    corners = [lab(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    grid = bytes(
        byte for lightness, a, b in corners for byte in (round(lightness * 2.55), round(a) + 128, round(b) + 128)
    )
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + _fixed((1, 0, 0, 0, 1, 0, 0, 0, 1)) + ramp * 4 + grid + ramp * 3
    return icc_profile(b"CMYK", b"Lab ", {b"A2B0": table}, device=b"prtr")
