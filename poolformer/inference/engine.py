"""A picture through a variant: what the service asks as soon as it needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Event

import numpy as np
import numpy.typing as npt
import torch

from poolformer.errors import WeightsError
from poolformer.images.decode import decode_with_notes
from poolformer.images.sharing import core_count
from poolformer.inference.batching import MAX_BATCH, MAX_BATCH_ON_CPU, BatchRunner, Pass
from poolformer.inference.device import Arithmetic
from poolformer.inference.loading import CPU, ReadyVariant, load_variant
from poolformer.inference.memory import LoadedVariants
from poolformer.inference.waiting import held

MAX_DECODERS = 4  # a picture takes up to 512 MiB while it is decoded; see MAX_PIXELS in images/decode.py


@dataclass(frozen=True, eq=False)
class Answer:
    """One picture through one variant.

    view: what the network saw, uint8 (H, W, 3).
    scores, indices: the largest softmax probabilities, largest first, and their rows of the classifier.
    notes: a sentence for each thing that a person would not expect.
    """

    variant: ReadyVariant
    view: npt.NDArray[np.uint8]
    scores: tuple[float, ...]
    indices: tuple[int, ...]
    notes: tuple[str, ...]
    forward: Pass

    def stages(self) -> tuple[npt.NDArray[np.float32], ...]:
        """The hidden_states, one float32 (C, H, W) a stage.

        Raises:
            WeightsError: an activation is not a finite number.
        """
        for number, state in enumerate(self.forward.hidden_states, start=1):
            if not state.isfinite().all():
                raise WeightsError(
                    f"In stage {number} of {self.variant.name} are activations that are no finite numbers, so nothing "
                    "can be shown: its weights are damaged. Choose another variant."
                )
        return tuple(state.contiguous().numpy() for state in self.forward.hidden_states)


class Engine:
    """Loads variants, decodes pictures a few at a time, and runs the network for many callers at once.

    `folders` says which names mean a folder; all others are rows of the variant table.
    """

    def __init__(
        self,
        budget_bytes: int,
        cache_dir: Path | None = None,
        endpoint: str | None = None,
        folders: Mapping[str, Path] | None = None,
        arithmetic: Arithmetic = CPU,
    ) -> None:
        def load(name: str, cancelled: Event | None) -> ReadyVariant:
            folder = (folders or {}).get(name, name)
            return load_variant(
                folder, cache_dir=cache_dir, endpoint=endpoint, cancelled=cancelled, arithmetic=arithmetic
            )

        self.loaded, self._note = LoadedVariants(load, budget_bytes), arithmetic.note
        # A compiled network is compiled anew for every size of a batch.
        most = MAX_BATCH_ON_CPU if arithmetic.device.type == "cpu" else MAX_BATCH
        self._runner = BatchRunner(1 if arithmetic.compiled else most)
        self._decoders = BoundedSemaphore(min(MAX_DECODERS, core_count()))

    def answer(self, source: str | Path | bytes, name: str, top_count: int, cancelled: Event | None = None) -> Answer:
        """The picture in a file, or in a file's bytes, through the variant.

        Raises:
            ImageError: no picture that this project accepts.
            UnknownVariantError, HubUnreachableError, WeightsError, ConfigError: as `load_variant`.
            CancelledError: `cancelled` was set before the answer was there.
        """
        if name not in self.loaded:
            with held(self._decoders, cancelled):
                decode_with_notes(source)  # A bad picture does not wait for a fetch, nor does a good one in memory.
        variant = self.loaded.get(name, cancelled)
        with held(self._decoders, cancelled):
            view, pixel_values, notes = _seen(source, variant)
        forward = self._runner.run(variant.network, pixel_values, cancelled)
        scores, indices = forward.logits.softmax(-1).topk(min(top_count, len(variant.labels)))
        return Answer(
            variant=variant,
            view=view,
            scores=tuple(scores.tolist()),
            indices=tuple(indices.tolist()),
            notes=(*notes, *filter(None, [self._note])),
            forward=forward,
        )


def _seen(
    source: str | Path | bytes, variant: ReadyVariant
) -> tuple[npt.NDArray[np.uint8], torch.Tensor, tuple[str, ...]]:
    """What the network sees, its pixel_values, and notes; the whole picture is in memory no longer than this takes."""
    decoded = decode_with_notes(source)
    return (*variant.processor.view_and_values(decoded.image), decoded.notes)
