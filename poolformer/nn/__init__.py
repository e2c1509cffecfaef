"""The network: pure PyTorch, no image library, no Hub, no user interface.

The config needs no torch; the networks and what they return are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolformer.lazy import names_from
from poolformer.nn.config import PoolFormerConfig

if TYPE_CHECKING:
    from poolformer.nn.model import PoolFormerForImageClassification, PoolFormerModel
    from poolformer.nn.outputs import BaseModelOutputWithNoAttention, ImageClassifierOutputWithNoAttention

__all__ = [
    "BaseModelOutputWithNoAttention",
    "ImageClassifierOutputWithNoAttention",
    "PoolFormerConfig",
    "PoolFormerForImageClassification",
    "PoolFormerModel",
]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "BaseModelOutputWithNoAttention": "poolformer.nn.outputs",
            "ImageClassifierOutputWithNoAttention": "poolformer.nn.outputs",
            "PoolFormerForImageClassification": "poolformer.nn.model",
            "PoolFormerModel": "poolformer.nn.model",
        },
    )
