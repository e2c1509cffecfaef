"""How much is measured, and in which folder: what every benchmark is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.checkpoints import write_cached

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """One run of the benchmarks.

    folder: for their files; removed afterwards.
    quick: as few rounds and variants as show that everything works; the figures mean little.
    compiled: measures networks that torch compiled, too.
    requests: how many the visitors of the load benchmark send.
    """

    folder: Path
    quick: bool = False
    compiled: bool = False
    requests: int = 1000

    def rounds(self, full: int) -> int:
        """How often each thing is measured, where `full` would be right."""
        return 1 if self.quick else full

    def some(self, full: Sequence[T]) -> Sequence[T]:
        """What is measured, where `full` would be right."""
        return full[:1] if self.quick else full

    def hub_cache(self, *names: str) -> Path:
        """A Hub cache with these variants in it; their weights are random."""
        cache_dir = self.folder / "hub"
        for name in names:
            write_cached(name, cache_dir)
        return cache_dir

    def subfolder(self, name: str) -> Path:
        """An empty folder of that name, or of a similar one if it was asked for before."""
        path, number = self.folder / name, 1
        while path.exists():
            number += 1
            path = self.folder / f"{name}-{number}"
        path.mkdir(parents=True)
        return path
