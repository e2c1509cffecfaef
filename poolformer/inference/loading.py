"""From a name to a folded network that is ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Event

import torch

from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.inference.device import Arithmetic
from poolformer.nn import PoolFormerConfig
from poolformer.nn.fused import FusedPoolFormer
from poolformer.weights.checkpoint import Checkpoint, Source, load_as

CPU = Arithmetic(torch.device("cpu"))


@dataclass(frozen=True, eq=False)
class ReadyVariant:
    """A checkpoint whose network is folded and packed; the model it was made of is gone.

    `processor` makes the pixel_values; `labels` has one entry a row of the classifier; `source` says where the files
    came from this time.
    """

    name: str
    network: FusedPoolFormer
    processor: PoolFormerImageProcessorPil
    labels: tuple[str, ...]
    source: Source

    @property
    def config(self) -> PoolFormerConfig:
        """The network's configuration."""
        return self.network.config

    @property
    def nbytes(self) -> int:
        """What the weights take in memory."""
        return self.network.nbytes


def load_variant(
    name: str | Path,
    *,
    cache_dir: Path | None = None,
    endpoint: str | None = None,
    cancelled: Event | None = None,
    arithmetic: Arithmetic = CPU,
    batch_size: int = 1,
) -> ReadyVariant:
    """The variant or the folder of that name, folded for inference; see `load_checkpoint` for names, caches and errors.

    `batch_size` is how many pictures will go through it at once, if it is to be compiled.

    Raises:
        UnknownVariantError, HubUnreachableError, WeightsError: as `load_checkpoint`.
        ConfigError: as `load_checkpoint`; or the network cannot be compiled here.
    """

    def fold(checkpoint: Checkpoint) -> ReadyVariant:
        network = FusedPoolFormer(checkpoint.model.to(arithmetic.device), arithmetic.dtype, arithmetic.compiled)
        if arithmetic.compiled:  # Now rather than with somebody's first picture.
            crop = checkpoint.processor.crop_size
            network(torch.zeros(batch_size, network.config.num_channels, crop["height"], crop["width"]))
        return ReadyVariant(checkpoint.name, network, checkpoint.processor, checkpoint.labels, checkpoint.source)

    return load_as(name, fold, cache_dir=cache_dir, endpoint=endpoint, cancelled=cancelled)
