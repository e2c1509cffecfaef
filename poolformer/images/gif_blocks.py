"""GIF's blocks: whether a picture comes early enough, and whether a second one follows it.

Layout: GIF89a (CompuServe, 1990). After the header and its colours come blocks: an extension (!), a picture (,), or the
end (;). The data of the first two are sub-blocks of 1 to 255 bytes, ended by an empty one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

HEADER_BYTES = 13
DESCRIPTOR_BYTES = 9
MAX_PREAMBLE_BYTES = 2**20  # before the first picture: Pillow joins comments in a time that grows with their square
MAX_STEPS = 2**18  # sub-blocks, or bytes between blocks, that are looked at: of full sub-blocks, 64 MB


def is_animation(stream: BinaryIO) -> bool:
    """Whether another picture follows the first, as far as MAX_STEPS reach.

    Raises:
        ValueError: there is no picture, or none before MAX_PREAMBLE_BYTES.
    """
    pictures = 0
    for kind in _blocks(stream):
        pictures += kind == b","
        if pictures == 1 and kind == b"," and stream.tell() > MAX_PREAMBLE_BYTES:
            raise ValueError("the first picture comes too late")
        if pictures == 2:
            return True
    if pictures == 0:
        raise ValueError("no picture")
    return False


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """What each block begins with; the stream is behind this byte. Bytes that begin no block are skipped, as usual."""
    stream.seek(0)
    _skip_colours(stream, stream.read(HEADER_BYTES)[10:11])
    steps = 0
    while (kind := stream.read(1)) not in (b"", b";") and steps < MAX_STEPS:
        if kind == b"!":
            yield kind
            stream.seek(1, io.SEEK_CUR)  # the kind of extension
            steps = _skip_data(stream, steps)
        elif kind == b",":
            yield kind
            _skip_colours(stream, stream.read(DESCRIPTOR_BYTES)[8:])
            stream.seek(1, io.SEEK_CUR)  # bits a code
            steps = _skip_data(stream, steps)
        else:
            steps += 1


def _skip_colours(stream: BinaryIO, flags: bytes) -> None:
    """Skips the table of colours that the flags announce, of 2 to 256 entries."""
    if flags and flags[0] & 0x80:
        stream.seek(3 << (flags[0] & 7) + 1, io.SEEK_CUR)


def _skip_data(stream: BinaryIO, steps: int) -> int:
    """Skips sub-blocks; the steps made until now, at most MAX_STEPS."""
    while steps < MAX_STEPS and (size := stream.read(1)) not in (b"", b"\0"):
        stream.seek(size[0], io.SEEK_CUR)
        steps += 1
    return steps
