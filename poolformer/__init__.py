"""PoolFormer in plain PyTorch, drop-in compatible with the `PoolFormer*` classes of `transformers`.

The public names are imported on first use, so that `import poolformer` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "PoolFormerConfig": "poolformer.nn.config",
    "PoolFormerForImageClassification": "poolformer.nn.model",
    "PoolFormerImageProcessor": "poolformer.images.processing",
    "PoolFormerImageProcessorPil": "poolformer.images.processing",
    "PoolFormerModel": "poolformer.nn.model",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
