"""The activation functions a config may name, under the names `transformers` gives them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the cheap approximation of GELU in Hendrycks and Gimpel (arXiv:1606.08415), section 2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


class ClippedGELU(nn.Module):
    """GELU, cut off below -10 and above 10."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(x).clamp(-10, 10)


class Laplace(nn.Module):
    """The distribution function of a normal variable of mean 0.707107, deviation 0.282095 (arXiv:2209.10655)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.5 * (1 + torch.erf((x - 0.707107) / (0.282095 * 2**0.5)))


class SqrtSoftplus(nn.Module):
    """sqrt(log(1 + exp(x)))."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.softplus(x).sqrt()


class SquaredReLU(nn.Module):
    """max(x, 0) ** 2, from Primer (arXiv:2109.08668)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x).square()


_gelu_tanh = partial(nn.GELU, approximate="tanh")

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "gelu_10": ClippedGELU,
    "gelu_python": nn.GELU,
    "gelu_new": _gelu_tanh,
    "gelu_fast": _gelu_tanh,
    "gelu_accurate": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "gelu_python_tanh": _gelu_tanh,
    "hardswish": nn.Hardswish,
    "laplace": Laplace,
    "leaky_relu": nn.LeakyReLU,
    "linear": nn.Identity,
    "mish": nn.Mish,
    "prelu": nn.PReLU,  # one learnt slope an MLP
    "quick_gelu": QuickGELU,
    "relu": nn.ReLU,
    "relu2": SquaredReLU,
    "relu6": nn.ReLU6,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "sqrtsoftplus": SqrtSoftplus,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
}
