"""What each token mixer reads and what it costs, as numbers of a config; it needs no torch, as the mixers do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poolformer.nn.config import PoolFormerConfig

HEAD_CHANNELS = 32  # of each attention head, in the code of both papers of nn/mixers.py


@dataclass(frozen=True)
class MixerFacts:
    """One token mixer in numbers.

    window: config to the edge, in cells, of the square around a place that its mixer reads; None is the whole map.
    weights: (config, channels) to how many weights it has; each is multiplied once for every place.
    products: (channels, places) to the products for one place that take no weight.
    """

    window: Callable[[PoolFormerConfig], int | None]
    weights: Callable[[PoolFormerConfig, int], int] = lambda _config, _channels: 0
    products: Callable[[int, int], int] = lambda _channels, _places: 0


def attention_channels(channels: int) -> int:
    """The channels of all heads of self-attention together, on maps of `channels`: as many whole heads as fit, or one.

    >>> [attention_channels(channels) for channels in (16, 64, 100)]
    [32, 64, 96]
    """
    return HEAD_CHANNELS * max(1, channels // HEAD_CHANNELS)


MIXER_FACTS: dict[str, MixerFacts] = {
    "pooling": MixerFacts(window=lambda config: config.pool_size),
    "identity": MixerFacts(window=lambda _: 1),
    "random": MixerFacts(window=lambda _: None, products=lambda channels, places: channels * places),
    "convolution": MixerFacts(
        window=lambda config: config.pool_size, weights=lambda config, channels: channels * config.pool_size**2
    ),
    "attention": MixerFacts(
        window=lambda _: None,
        weights=lambda _, channels: 4 * channels * attention_channels(channels),  # queries, keys, values, projection
        products=lambda channels, places: 2 * attention_channels(channels) * places,  # with all keys, and all values
    ),
}
