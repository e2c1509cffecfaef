"""Token mixers: modules (B, C, H, W) -> (B, C, H, W) that let each place see its neighbours."""

from __future__ import annotations

import torch
from torch import nn


class PoolFormerPooling(nn.Module):
    """Average pooling minus its input: PoolFormer's token mixer (arXiv:2111.11418, equation 4 and algorithm 1).

    (B, C, H, W) -> (B, C, H, W). The window has `pool_size` x `pool_size` places and stride 1; places outside the map
    are not counted. The input is subtracted because the block adds it back: `x + mixer(x)` is then `pool(x)`.
    It has no parameters.
    """

    def __init__(self, pool_size: int = 3) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(pool_size, stride=1, padding=pool_size // 2, count_include_pad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.pool(x)
        return pooled - x
