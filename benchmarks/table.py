"""The table that all benchmarks print."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """The median of some measurements, and the quarter and three-quarter points around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Measure:
        """The measure of at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(statistics.median(values), low, high)

    def __str__(self) -> str:
        exact = self.low == self.high
        return f"{self.median:,.4g}" if exact else f"{self.median:,.4g} ({self.low:,.4g} to {self.high:,.4g})"


@dataclass(frozen=True)
class Row:
    """One line: what was measured, in which unit, ours and theirs. Smaller is better; `theirs` None has no opponent."""

    what: str
    unit: str
    ours: Measure
    theirs: Measure | None = None
    opponent: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times theirs is ours."""
        return None if self.theirs is None else self.theirs.median / self.ours.median


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | unit | ours | theirs | theirs is | ratio |", "|---|---|---|---|---|---|"]
    for row in rows:
        theirs = "" if row.theirs is None else str(row.theirs)
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(f"| {row.what} | {row.unit} | {row.ours} | {theirs} | {row.opponent} | {ratio} |")
    return "\n".join(lines)
