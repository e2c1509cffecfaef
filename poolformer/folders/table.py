"""A table of results in a file: it grows row by row, and whatever ends a run leaves it fit to go on."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from poolformer.errors import PoolFormerError
from poolformer.folders.rows import LAYOUTS, Layout, Row

MAX_ROW_BYTES = 2**20  # many times what a path and five labels take


class ResultTable:
    """The rows of `variant` in the file at `path`, whose ending says how they lie in it: .csv or .jsonl.

    What is there already is kept: `name in table` says whether the file of that name is one of the `kept`, which had
    a row when the table was opened. Rows are added within a `with`, each written at once; a row at the end that was cut
    off is dropped then. Each of the kept takes 8 bytes of memory.

    Raises:
        PoolFormerError: another ending; a file that cannot be read, is no such table, or is of another variant; within
            the `with`, a file that cannot be written.
    """

    def __init__(self, path: Path, variant: str) -> None:
        if path.suffix not in LAYOUTS:
            raise PoolFormerError(f"{path} is no name for a table; choose one that ends in {' or '.join(LAYOUTS)}.")
        self.path, self._layout, self._end = path, LAYOUTS[path.suffix], 0
        hashes = array("q")
        try:
            with path.open("rb") as stream:
                self._end = self._start(stream)
                for name, end in self._rows(stream, variant):
                    hashes.append(hash(name))
                    self._end = end
        except FileNotFoundError:
            pass
        except OSError as error:
            raise PoolFormerError(f"{path} cannot be read ({error.strerror}); choose another file.") from error
        self._hashes = np.sort(np.array(hashes, np.int64))
        self.kept, self._added = len(hashes), 0

    def __len__(self) -> int:
        return self.kept + self._added

    def __contains__(self, name: str) -> bool:
        wanted = np.int64(hash(name))
        place = int(np.searchsorted(self._hashes, wanted))
        return place < self.kept and bool(self._hashes[place] == wanted)

    def __enter__(self) -> Self:
        try:
            self._stream = self.path.open("ab", buffering=0)  # A buffer would try again to write what could not be.
            self._stream.truncate(self._end)
        except OSError as error:
            raise self._unwritable(error) from error
        if self._end == 0:
            self._write(self._layout.header)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def append(self, row: Row) -> None:
        """Writes the row behind the others."""
        self._write(self._layout.encode(row))
        self._added += 1

    def _write(self, text: bytes) -> None:
        try:
            while text:
                text = text[self._stream.write(text) :]
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> PoolFormerError:
        return PoolFormerError(
            f"{self.path} cannot be written ({error.strerror}); once it can, the same command goes on from what it "
            "holds."
        )

    def _start(self, stream: BinaryIO) -> int:
        try:
            return self._layout.start(stream.readline(MAX_ROW_BYTES))
        except ValueError as error:
            raise PoolFormerError(
                f"{self.path} is no table of this command's, or has other columns; choose another file."
            ) from error

    def _rows(self, stream: BinaryIO, variant: str) -> Iterator[tuple[str, int]]:
        """The name in each whole row from `_end` on, and where that row ends."""
        stream.seek(end := self._end)
        for number, text in enumerate(_whole_rows(stream, self._layout), start=1):
            try:
                name, row_variant = self._layout.decode(text)
            except ValueError as error:
                raise PoolFormerError(
                    f"Row {number} of {self.path} is damaged; remove it, or choose another file."
                ) from error
            if row_variant != variant:
                raise PoolFormerError(
                    f"{self.path} holds what {row_variant} has found, not {variant}; choose another file, or --variant "
                    f"{row_variant}."
                )
            end += len(text)
            yield name, end


def _whole_rows(stream: BinaryIO, layout: Layout) -> Iterator[bytes]:
    """The rows from here on, without one that is cut off at the end; what is too long for a row comes as one."""
    text = b""
    while line := stream.readline(MAX_ROW_BYTES):
        text += line
        if layout.is_whole(text) or len(text) > MAX_ROW_BYTES:
            yield text
            text = b""
