"""The network: pure PyTorch, no image library, no Hub, no user interface."""

from poolformer.nn.config import PoolFormerConfig
from poolformer.nn.model import (
    BaseModelOutputWithNoAttention,
    ImageClassifierOutputWithNoAttention,
    PoolFormerForImageClassification,
    PoolFormerModel,
)

__all__ = [
    "BaseModelOutputWithNoAttention",
    "ImageClassifierOutputWithNoAttention",
    "PoolFormerConfig",
    "PoolFormerForImageClassification",
    "PoolFormerModel",
]
