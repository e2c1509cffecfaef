"""The table that all benchmarks print."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

RatioKind = Literal["as fast", "of theirs"]


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
        return (
            f"{_short(self.median)}" if exact else f"{_short(self.median)} ({_short(self.low)} to {_short(self.high)})"
        )


@dataclass(frozen=True)
class Row:
    """One line: what was measured, in which unit, ours and theirs; `theirs` None has no opponent.

    ratio_kind: what the ratio says. "as fast": how many times theirs is ours, for times, of which less is better.
        "of theirs": how many times ours is theirs, for rates, sizes, and whatever has a limit.
    at_least, at_most: the goal of the ratio, or without an opponent of ours itself, if it has one.
    """

    what: str
    unit: str
    ours: Measure
    theirs: Measure | None = None
    opponent: str = ""
    ratio_kind: RatioKind = "as fast"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        """How ours compares with theirs, as `ratio_kind` says."""
        if self.theirs is None:
            return None
        ours, theirs = self.ours.median, self.theirs.median
        return theirs / ours if self.ratio_kind == "as fast" else ours / theirs

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.at_least is None and self.at_most is None:
            return None
        value = self.ours.median if self.ratio is None else self.ratio
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    @property
    def goal(self) -> str:
        """The goal in words; "" without one."""
        words = (("at least", self.at_least), ("at most", self.at_most))
        return ", ".join(f"{word} {bound:g}" for word, bound in words if bound is not None)


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table; columns that no row fills are left out."""
    titles = ("what", "unit", "ours", "theirs", "theirs is", "ratio", "goal", "met")
    lines = [titles, *map(_cells, rows)]
    used = [column for column in range(len(titles)) if any(line[column] for line in lines[1:])]
    texts = ["| " + " | ".join(line[column] for column in used) + " |" for line in lines]
    return "\n".join([texts[0], "|" + "---|" * len(used), *texts[1:]])


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as plain data, unrounded, with what follows from their numbers."""
    return [{**asdict(row), "ratio": row.ratio, "met": row.met} for row in rows]


def _cells(row: Row) -> tuple[str, ...]:
    theirs = "" if row.theirs is None else str(row.theirs)
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} {row.ratio_kind}"
    met = {None: "", True: "yes", False: "no"}[row.met]
    return (row.what, row.unit, str(row.ours), theirs, row.opponent, ratio, row.goal, met)


def _short(value: float) -> str:
    """Four digits, or all before the point.

    >>> _short(12.3456), _short(123456.7), _short(0.0123456)
    ('12.35', '123,457', '0.01235')
    """
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"
