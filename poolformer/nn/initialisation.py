"""The weights that a layer starts with."""

from __future__ import annotations

import torch
from torch import nn


def draw_normal(layer: nn.Linear | nn.Conv2d, deviation: float) -> None:
    """Normal weights and a bias of zeros, as in the original code and in `transformers`.

    The original cuts the distribution off at plus and minus 2, a hundred deviations away, which changes nothing.
    """
    if not layer.weight.is_meta:  # There is nothing to draw, and torch would load its tracing for it, in seconds.
        nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def draw_means(places: int) -> torch.Tensor:
    """(places, places), every row of it the weights of a random mean: a softmax of numbers drawn evenly from [0, 1)."""
    matrix = torch.empty(places, places)
    return matrix if matrix.is_meta else torch.rand(places, places).softmax(dim=-1)
