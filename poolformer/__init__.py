"""PoolFormer in plain PyTorch, drop-in compatible with the `PoolFormer*` classes of `transformers`.

The public names are imported on first use, so that `import poolformer` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = dict.fromkeys(
    (
        "PoolFormerConfig",
        "PoolFormerForImageClassification",
        "PoolFormerImageProcessor",
        "PoolFormerImageProcessorPil",
        "PoolFormerModel",
        "PoolFormerPreTrainedModel",
    ),
    "poolformer.weights.pretrained",
)

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
