"""The loaded variants, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from threading import Event

from poolformer.inference.loading import ReadyVariant
from poolformer.inference.waiting import held

Load = Callable[[str, Event | None], ReadyVariant]


class LoadedVariants:
    """Variants in memory, each loaded once by `load(name, cancelled)`; safe to call from many threads.

    Before one is added, the least recently used ones go, until all together take no more than `budget_bytes`; a single
    one may take more. A request that still computes with one that is dropped keeps it until it ends.
    """

    def __init__(self, load: Load, budget_bytes: int) -> None:
        self._load, self._budget_bytes = load, budget_bytes
        self._loaded: OrderedDict[str, ReadyVariant] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def __contains__(self, name: str) -> bool:
        with self._lock:
            return name in self._loaded

    @property
    def nbytes(self) -> int:
        """What all of them take in memory."""
        with self._lock:
            return self._total()

    def get(self, name: str, cancelled: Event | None = None) -> ReadyVariant:
        """The variant of that name, from memory or loaded; others go on meanwhile. Raises as `load`.

        Raises:
            CancelledError: `cancelled` was set while another request loaded the same variant.
        """
        with self._lock:
            loading = self._loading[name]
        with held(loading, cancelled):  # One load a variant.
            if (found := self._used(name)) is not None:
                return found
            loaded = self._load(name, cancelled)
            with self._lock:
                while self._loaded and self._total() + loaded.nbytes > self._budget_bytes:
                    self._loaded.popitem(last=False)
                self._loaded[name] = loaded
            return loaded

    def _used(self, name: str) -> ReadyVariant | None:
        """The variant, if it is loaded: the most recently used one from now on."""
        with self._lock:
            if name in self._loaded:
                self._loaded.move_to_end(name)
            return self._loaded.get(name)

    def _total(self) -> int:
        return sum(loaded.nbytes for loaded in self._loaded.values())
