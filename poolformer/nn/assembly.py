"""Networks from tensors that are there already: no memory is taken twice, and no random weight is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch

from poolformer.nn.model import PoolFormerLayer, PoolFormerNetwork

_N = TypeVar("_N", bound=PoolFormerNetwork)


def give_weights(network: _N, tensors: Mapping[str, torch.Tensor]) -> _N:
    """`network`, laid out under `torch.device("meta")`, with the tensors themselves as its weights.

    `tensors` is a whole state dict, on one device and of one number type. The network's mode and what requires a
    gradient stay as they were.

    Raises:
        RuntimeError: a key is missing, unexpected, or of another shape.

    >>> from poolformer.nn import PoolFormerConfig, PoolFormerModel
    >>> config = PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32])
    >>> weights = PoolFormerModel(config).state_dict()
    >>> with torch.device("meta"):
    ...     model = PoolFormerModel(config)
    >>> give_weights(model, weights).device
    device(type='cpu')
    """
    network.load_state_dict(tensors, assign=True)
    like = next(network.parameters())
    for block in network.modules():
        if isinstance(block, PoolFormerLayer) and block.layer_scale_1.is_meta:  # Scales of one are in no state dict.
            block.layer_scale_1 = torch.ones_like(block.layer_scale_1, device=like.device, dtype=like.dtype)
            block.layer_scale_2 = torch.ones_like(block.layer_scale_2, device=like.device, dtype=like.dtype)
    return network
