"""The network: pure PyTorch, no image library, no Hub, no user interface."""

from poolformer.nn.config import PoolFormerConfig
from poolformer.nn.model import PoolFormerForImageClassification, PoolFormerModel
from poolformer.nn.outputs import BaseModelOutputWithNoAttention, ImageClassifierOutputWithNoAttention

__all__ = [
    "BaseModelOutputWithNoAttention",
    "ImageClassifierOutputWithNoAttention",
    "PoolFormerConfig",
    "PoolFormerForImageClassification",
    "PoolFormerModel",
]
