"""Stochastic depth: in training, whole branches are left out at random."""

from __future__ import annotations

import torch
from torch import nn


class DropPath(nn.Module):
    """Stochastic depth (arXiv:1603.09382): in training a whole sample is zeroed with probability `rate`."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        mask = torch.rand(x.shape[0], 1, 1, 1, dtype=x.dtype, device=x.device).add(keep).floor()  # (B, 1, 1, 1)
        return x.div(keep) * mask

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
