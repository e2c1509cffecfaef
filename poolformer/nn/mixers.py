"""Token mixers: modules (B, C, H, W) -> (B, C, H, W) that let each place see others.

The block adds what it normalised and mixed to what it had: `x + s1 * mixer(norm(x))`. Pooling is PoolFormer; the other
four are what its authors compare it with, in *MetaFormer Is Actually What You Need for Vision* (arXiv:2111.11418, table
5) and *MetaFormer Baselines for Vision* (arXiv:2210.13452). As in that table, all blocks of a network have the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from poolformer.errors import ImageError
from poolformer.nn.initialisation import draw_means, draw_normal
from poolformer.nn.layout import stage_sizes
from poolformer.nn.mixer_facts import HEAD_CHANNELS, attention_channels

if TYPE_CHECKING:
    from poolformer.nn.config import PoolFormerConfig


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


class RandomMixing(nn.Module):
    """Every place becomes a fixed random mean of all places, as in the ablation of arXiv:2111.11418 (section 4.4).

    (B, C, H, W) -> (B, C, H, W), for one H and W only: `matrix`, (H*W, H*W), has in row i how much each place counts
    for place i. Rows are the softmax of numbers drawn evenly from [0, 1), so they sum to one, and no place counts more
    than e times another. The matrix is a buffer: never trained, but in the state dict, so that a checkpoint mixes the
    same everywhere. It takes 4 (H*W)^2 bytes in float32: 39 MB for the 56 x 56 places of s12's first stage. RandFormer,
    of the later paper, has such matrices in its last two stages only, and the identity before.

    `image_size_px` is the edge of the square pictures that give maps of `height` x `width` places; errors name it.

    Raises:
        ImageError: (when called) a map of another size.
    """

    matrix: torch.Tensor

    def __init__(self, height: int, width: int, image_size_px: int) -> None:
        super().__init__()
        self.height, self.width, self.image_size_px = height, width, image_size_px
        self.register_buffer("matrix", draw_means(height * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-2:] != (self.height, self.width):
            raise ImageError(
                "The matrices of the token mixer random were made for pictures of "
                f"{self.image_size_px} x {self.image_size_px} pixels, which have {self.width} x {self.height} cells "
                f"here; this one has {x.shape[-1]} x {x.shape[-2]}. Resize it to "
                f"{self.image_size_px} x {self.image_size_px} pixels."
            )
        mixed = x.flatten(2) @ self.matrix.T  # (B, C, H, W) -> (B, C, H*W)
        return mixed.reshape(x.shape)

    def extra_repr(self) -> str:
        return f"height={self.height}, width={self.width}"


class DepthwiseConvolution(nn.Conv2d):
    """One learnt filter a channel, of `kernel_size` x `kernel_size` places, stride 1, zeros outside the map, no bias.

    (B, C, H, W) -> (B, C, H, W). The depthwise convolution of the ablation in arXiv:2111.11418, which says neither the
    window nor whether there is a bias. Here the window is pooling's, so that both read the same places, and there is no
    bias, as in ConvFormer (arXiv:2210.13452), which has 7 x 7 places and a pointwise convolution before and after.
    """

    def __init__(self, channels: int, kernel_size: int, initializer_range: float) -> None:
        super().__init__(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels, bias=False)
        draw_normal(self, initializer_range)


class SelfAttention(nn.Module):
    """Multi-head self-attention over all H*W places (arXiv:1706.03762, section 3.2), without position embeddings.

    (B, C, H, W) -> (B, C, H, W), any H and W. Heads have 32 channels, there are C // 32, or one of 32 where C is less,
    and no layer has a bias: all as in the code of arXiv:2210.13452. Its work grows with (H*W)^2.
    """

    def __init__(self, channels: int, initializer_range: float) -> None:
        super().__init__()
        self.qkv = nn.Linear(channels, 3 * attention_channels(channels), bias=False)
        self.proj = nn.Linear(attention_channels(channels), channels, bias=False)
        for layer in (self.qkv, self.proj):
            draw_normal(layer, initializer_range)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)  # (B, C, H, W) -> (B, H*W, C)
        qkv = self.qkv(tokens).unflatten(2, (3, -1, HEAD_CHANNELS))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()  # (B, H*W, 3, heads, 32) -> three of (B, heads, H*W, 32)
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        mixed: torch.Tensor = self.proj(attended.transpose(1, 2).flatten(2))  # (B, heads, H*W, 32) -> (B, H*W, C)
        return mixed.transpose(1, 2).reshape(x.shape)  # (B, H*W, C) -> (B, C, H, W)


def _build_random(config: PoolFormerConfig, stage: int) -> nn.Module:
    size_px: int = config.image_size  # type: ignore[assignment]  # no config of this mixer is without
    return RandomMixing(*stage_sizes(config, size_px, size_px)[stage], size_px)


def _build_convolution(config: PoolFormerConfig, stage: int) -> nn.Module:
    return DepthwiseConvolution(config.hidden_sizes[stage], config.pool_size, config.initializer_range)


def _build_attention(config: PoolFormerConfig, stage: int) -> nn.Module:
    return SelfAttention(config.hidden_sizes[stage], config.initializer_range)


# (config, stage) to a new module for one block of that stage, counted from 0. In numbers: `poolformer.nn.mixer_facts`.
MIXERS: dict[str, Callable[[PoolFormerConfig, int], nn.Module]] = {
    "pooling": lambda config, _: PoolFormerPooling(config.pool_size),
    "identity": lambda *_: nn.Identity(),
    "random": _build_random,
    "convolution": _build_convolution,
    "attention": _build_attention,
}
