"""The weights that a layer starts with."""

from __future__ import annotations

from torch import nn


def draw_normal(layer: nn.Linear | nn.Conv2d, deviation: float) -> None:
    """Normal weights and a bias of zeros, as in the original code and in `transformers`.

    The original cuts the distribution off at plus and minus 2, a hundred deviations away, which changes nothing.
    """
    if not layer.weight.is_meta:  # There is nothing to draw, and torch would load its tracing for it, in seconds.
        nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
