"""A row of a table, and how it is written to a file and found again: as a line of CSV, or of JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Protocol

from poolformer.service import TOP_COUNT, Prediction

LABELS_AND_SCORES = [f"{kind}{place}" for place in range(1, TOP_COUNT + 1) for kind in ("label", "score")]
COLUMNS = ["file", *LABELS_AND_SCORES, "variant", "error"]


@dataclass(frozen=True)
class Row:
    """What became of one file: the most probable labels, best first; or the sentence that says why there are none."""

    file: str
    variant: str
    predictions: tuple[Prediction, ...] = ()
    error: str = ""


def _csv_line(cells: list[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


class Layout(Protocol):
    """How rows lie in a file; `header` is what comes before the first."""

    header: bytes

    def start(self, line: bytes) -> int:
        """Where the first row begins in a file with this first line, which may be cut off.

        Raises:
            ValueError: that is another kind of file.
        """

    def encode(self, row: Row) -> bytes:
        """The row as it stands in the file, its end included."""

    def is_whole(self, text: bytes) -> bool:
        """Whether `text`, some lines from the beginning of a row, is that whole row."""

    def decode(self, text: bytes) -> tuple[str, str]:
        """The file and the variant of a whole row.

        Raises:
            ValueError: it is none that `encode` writes.
        """


class CsvLayout:
    """CSV as in RFC 4180, in UTF-8, with the names of the columns in the first line."""

    def __init__(self) -> None:
        self.header = _csv_line(COLUMNS)

    def start(self, line: bytes) -> int:
        if line.endswith(b"\n") and line.rstrip() == self.header.rstrip():
            return len(line)
        if self.header.startswith(line):
            return 0
        raise ValueError("other columns")

    def encode(self, row: Row) -> bytes:
        cells = [cell for found in row.predictions for cell in (found.label, f"{found.score:.6g}")]
        blanks = [""] * (len(LABELS_AND_SCORES) - len(cells))
        return _csv_line([row.file, *cells, *blanks, row.variant, row.error])

    def is_whole(self, text: bytes) -> bool:
        # A quote within quotes is doubled, so while the count is odd the end of the line is part of a name.
        return text.endswith(b"\n") and text.count(b'"') % 2 == 0

    def decode(self, text: bytes) -> tuple[str, str]:
        try:
            (cells,) = csv.reader(io.StringIO(text.decode(), newline=""), strict=True)
        except csv.Error as error:
            raise ValueError("no CSV") from error
        if len(cells) != len(COLUMNS):
            raise ValueError("other columns")
        return cells[0], cells[-2]


class JsonLinesLayout:
    """One JSON object a line, with file, variant, and either predictions or error."""

    header = b""

    def start(self, line: bytes) -> int:
        opening = b'{"file": '
        if line[: len(opening)] != opening[: len(line)]:
            raise ValueError("other keys")
        return 0

    def encode(self, row: Row) -> bytes:
        found = [{"label": found.label, "score": float(f"{found.score:.6g}")} for found in row.predictions]
        outcome = {"error": row.error} if row.error else {"predictions": found}
        return json.dumps({"file": row.file, "variant": row.variant, **outcome}).encode() + b"\n"

    def is_whole(self, text: bytes) -> bool:
        return text.endswith(b"\n")

    def decode(self, text: bytes) -> tuple[str, str]:
        cells = json.loads(text)
        if not isinstance(cells, dict) or not {"predictions", "error"} & cells.keys():
            raise ValueError("other keys")
        return str(cells.get("file")), str(cells.get("variant"))


LAYOUTS: dict[str, Layout] = {".csv": CsvLayout(), ".jsonl": JsonLinesLayout()}
