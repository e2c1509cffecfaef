"""Which variants can be used now, and what fetching the others would take: no network, and no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from poolformer.nn.cost import parameter_count
from poolformer.weights.hub import cached_folder
from poolformer.weights.variants import BUNDLED_NAME, VARIANTS, variant

BYTES_A_PARAMETER = 4  # float32, as all five are published


@dataclass(frozen=True)
class Availability:
    """Whether a variant can be used at once; `download_bytes` is what a fetch would take, 0 unless it is remote."""

    state: Literal["bundled", "cached", "remote"]
    download_bytes: int = 0


def availability(name: str, *, cache_dir: Path | None = None) -> Availability:
    """Whether the variant is bundled, cached or remote, from a few look-ups in the file system; no network.

    Raises:
        UnknownVariantError: no such row in the table.
    """
    if name == BUNDLED_NAME:
        return Availability("bundled")
    if cached_folder(variant(name).hub_id, cache_dir=cache_dir):
        return Availability("cached")
    return Availability("remote", _download_bytes(name))


def usable_names(cache_dir: Path | None = None) -> list[str]:
    """The variants that need no network now: the bundled one and those in the cache."""
    cached = [row.name for row in VARIANTS.values() if cached_folder(row.hub_id, cache_dir=cache_dir)]
    return [BUNDLED_NAME, *cached]


@lru_cache(maxsize=len(VARIANTS))
def _download_bytes(name: str) -> int:
    """Size of the weights; the two JSON files beside them are a few kB."""
    return BYTES_A_PARAMETER * parameter_count(VARIANTS[name].config())
