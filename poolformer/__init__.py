"""PoolFormer in plain PyTorch, drop-in compatible with the `PoolFormer*` classes of `transformers`.

The public names are imported on first use, so that `import poolformer` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolformer.lazy import names_from

if TYPE_CHECKING:
    from poolformer.weights.pretrained import (
        PoolFormerConfig,
        PoolFormerForImageClassification,
        PoolFormerImageProcessor,
        PoolFormerImageProcessorPil,
        PoolFormerModel,
        PoolFormerPreTrainedModel,
    )

__all__ = [
    "PoolFormerConfig",
    "PoolFormerForImageClassification",
    "PoolFormerImageProcessor",
    "PoolFormerImageProcessorPil",
    "PoolFormerModel",
    "PoolFormerPreTrainedModel",
]

if not TYPE_CHECKING:
    __getattr__ = names_from(__name__, dict.fromkeys(__all__, "poolformer.weights.pretrained"))


def __dir__() -> list[str]:
    return __all__
