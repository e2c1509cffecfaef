"""TIFF's directories of tags, in TIFF files and in EXIF data: the orientation, and whether they ask for too much.

Layout: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF as libtiff describes it; EXIF as in CIPA DC-008. A directory is a
list of entries, each with a tag, a type, a count, and the values, or where they are if they take more than 4 bytes.
Many entries may point at the same bytes, so that a small file can ask a reader that keeps all values for any amount of
memory. Pillow before 13 is such a reader.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# Bytes of one value by its type; Pillow skips entries of other types.
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
BYTES_TYPES = (1, 2, 7)  # read as one object; of all other types each value becomes one
INTEGER_LAYOUTS = {3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L", 16: "Q"}
ORIENTATION, TILE_WIDTH, TILE_LENGTH = 0x0112, 0x0142, 0x0143
SUBDIRECTORIES = (0x8769, 0x8825, 0xA005)  # EXIF, GPS and interoperability: Pillow reads these along with the first
EXIF_PREFIX = b"Exif\0\0"
MAX_PREFIXES = 3  # Pillow strips any number of them and copies the rest each time
MAX_ENTRIES = 2**16  # in all directories; a photograph has about 100
MAX_VALUES = 2**18  # that become objects, of up to 200 bytes each; a TIFF has one a strip


@dataclass(frozen=True)
class Entry:
    """One entry of a directory; `field` has the values, or where they are."""

    tag: int
    kind: int
    count: int
    field: bytes

    @property
    def size_bytes(self) -> int:
        """Of all values; 0 for types that are not read."""
        return self.count * TYPE_SIZES.get(self.kind, 0)


class TagReader:
    """The directories in a stream that begins with TIFF's header.

    Raises:
        ValueError: the stream begins otherwise.
        struct.error: the header is cut off.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size_bytes = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        head = stream.read(16)
        if not head.startswith((b"II", b"MM")):
            raise ValueError("no TIFF header")
        self._order = "<" if head.startswith(b"II") else ">"
        self._is_big = head[2] == 43  # as Pillow tells it
        self.first: int = self._unpack("Q", head[8:])[0] if self._is_big else self._unpack("L", head[4:8])[0]

    def entries(self, offset: int) -> Iterator[Entry]:
        """The entries of the directory at `offset`, as far as there are bytes for them."""
        self._stream.seek(offset)
        count_size, layout = (8, "HHQ8s") if self._is_big else (2, "HHL4s")
        head = self._stream.read(count_size)
        if len(head) < count_size:
            return
        count = self._unpack("Q" if self._is_big else "H", head)[0]
        size = struct.calcsize(self._order + layout)
        data = self._stream.read(size * min(count, MAX_ENTRIES + 1))
        for values in struct.iter_unpack(self._order + layout, data[: len(data) - len(data) % size]):
            yield Entry(*values)

    def integer(self, entry: Entry) -> int | None:
        """The value of an entry that has one whole number."""
        layout = INTEGER_LAYOUTS.get(entry.kind)
        if layout is None or entry.count != 1:
            return None
        data = entry.field
        if entry.size_bytes > len(data):
            self._stream.seek(self._unpack("L", data)[0])
            data = self._stream.read(entry.size_bytes)
        return int(self._unpack(layout, data[: entry.size_bytes])[0])

    def _unpack(self, layout: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack_from(self._order + layout, data)


def check_tags(stream: BinaryIO) -> int:
    """The pixels of the largest tile, 0 without tiles, of a TIFF whose directories ask for no more than there is.

    Looked at are the first directory and those of its subdirectories that Pillow reads.

    Raises:
        ValueError: the values take more bytes than the stream has, twice over; or there are too many of them.
        struct.error: the stream is cut off.
    """
    reader = TagReader(stream)
    waiting, seen, tile_edges = [reader.first], set[int](), {TILE_WIDTH: 0, TILE_LENGTH: 0}
    entry_count = value_count = claimed_bytes = 0
    while waiting:
        offset = waiting.pop()
        if offset in seen:
            continue
        seen.add(offset)
        for entry in list(reader.entries(offset)):
            entry_count += 1
            claimed_bytes += min(entry.size_bytes, reader.size_bytes)
            value_count += min(entry.count, entry.size_bytes) if entry.kind not in BYTES_TYPES else 1
            if entry.tag in SUBDIRECTORIES and (pointer := reader.integer(entry)) is not None and pointer > 0:
                waiting.append(pointer)
            elif entry.tag in tile_edges:
                tile_edges[entry.tag] = max(tile_edges[entry.tag], reader.integer(entry) or 0)
            if entry_count > MAX_ENTRIES or value_count > MAX_VALUES or claimed_bytes > 2 * reader.size_bytes:
                raise ValueError("the directories ask for more than there is")
    return tile_edges[TILE_WIDTH] * tile_edges[TILE_LENGTH]


def check_exif(exif: bytes) -> None:
    """Nothing, if Pillow can read this EXIF data, or give up on it, within the memory that its size suggests.

    Raises:
        ValueError: it cannot.
    """
    body = _without_prefix(exif)
    if body.startswith((b"II", b"MM")):
        try:
            check_tags(io.BytesIO(body))
        except (struct.error, OverflowError):  # cut off: Pillow gives up on it, too
            return


def exif_orientation(exif: bytes) -> int:
    """The orientation in EXIF data, 1 to 8; 1, upright, where there is none or it cannot be read."""
    try:
        reader = TagReader(io.BytesIO(_without_prefix(exif)))
        found = next((entry for entry in reader.entries(reader.first) if entry.tag == ORIENTATION), None)
        orientation = (reader.integer(found) if found else None) or 1
    except (ValueError, OverflowError, struct.error):
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _without_prefix(exif: bytes) -> bytes:
    """What follows the prefix that EXIF data has in most containers.

    Raises:
        ValueError: the prefix repeats.
    """
    for _ in range(MAX_PREFIXES):
        exif = exif.removeprefix(EXIF_PREFIX)
    if exif.startswith(EXIF_PREFIX):
        raise ValueError("a prefix of EXIF data that repeats")
    return exif
