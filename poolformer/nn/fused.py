"""The same network folded for inference: fewer passes over memory, weights packed once, the same hidden states.

Padding is not counted when pooling, so the pool of a constant is that constant, and in `pool(norm(x)) - norm(x)` mean
and shift of the norm cancel. With g the norm's weight times layer scale 1, and r one over the deviation of x, the first
half of a block is

    x + g r (pool(x) - x),

an interpolation between x and its pool. In the second half, weight and shift of the norm go into the first 1 x 1
convolution, and layer scale 2 into the second, which adds its result to x where x lies. Both halves are exact but for
the order of sums. Folding costs as much time as one pass over the weights.

Gradients do not pass through packed weights: attribution takes the model itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from poolformer.nn.layout import stage_sizes
from poolformer.nn.mixers import PoolFormerPooling
from poolformer.nn.model import PoolFormerEmbeddings, PoolFormerForImageClassification, PoolFormerLayer
from poolformer.nn.outputs import ImageClassifierOutputWithNoAttention
from poolformer.nn.prepacked import PackedConvolution

USUAL_SIZE_PX = 224  # how weights are packed is chosen for the maps of such a picture; others work as well

Step = Callable[[torch.Tensor], torch.Tensor]


class FusedPoolFormer:
    """The classifier `model` for inference, in `dtype`, on the device of the model.

    Calling it with pixel_values (B, C, H, W), of any dtype, gives logits and all hidden states in `dtype`, as
    `model(pixel_values, output_hidden_states=True)` would: within 1e-4 in float32; bfloat16 is about twice as fast on
    processors that have it, and moves logits by up to 0.1. Nothing of the model is kept or shared.

    Raises:
        ValueError: (when called) gradients are asked for; they do not pass through packed weights. Use the model.
    """

    def __init__(self, model: PoolFormerForImageClassification, dtype: torch.dtype = torch.float32) -> None:
        self.config, self.dtype, self.device = model.config, dtype, model.device
        size_px = self.config.image_size or USUAL_SIZE_PX
        sizes = [(size_px, size_px), *stage_sizes(self.config, size_px, size_px)]
        encoder = model.poolformer.encoder
        with torch.no_grad():
            self.embeddings = [
                _fold_embedding(embedding, size, dtype)
                for embedding, size in zip(encoder.patch_embeddings, sizes[:-1], strict=True)
            ]
            self.stages = [
                [_FusedBlock(cast(PoolFormerLayer, block), size, dtype) for block in cast(nn.ModuleList, blocks)]
                for blocks, size in zip(encoder.block, sizes[1:], strict=True)
            ]
            self.norm, self.classifier = _copy(model.norm, dtype), _copy(model.classifier, dtype)

    def __call__(self, pixel_values: torch.Tensor) -> ImageClassifierOutputWithNoAttention:
        if torch.is_grad_enabled() and pixel_values.requires_grad:
            raise ValueError("A FusedPoolFormer has no gradients; call the model itself, or under torch.no_grad().")
        with torch.inference_mode():
            x = pixel_values.to(self.dtype, memory_format=torch.channels_last)
            hidden_states = []
            for embed, blocks in zip(self.embeddings, self.stages, strict=True):
                x = embed(x)
                for block in blocks:
                    x = block(x)
                hidden_states.append(x)
            # (B, C, H, W) -> (B, C) -> (B, num_labels)
            logits = self.classifier(self.norm(x).mean([-2, -1]))
        return ImageClassifierOutputWithNoAttention(None, logits, tuple(hidden_states))


class _FusedBlock:
    """One block. (B, C, H, W) -> (B, C, H, W); may change its input in place."""

    def __init__(self, block: PoolFormerLayer, size: tuple[int, int], dtype: torch.dtype) -> None:
        height, width = size
        if isinstance(block.token_mixer, PoolFormerPooling):
            self.mix_tokens: Step = _FusedPooling(block, block.token_mixer.pool, dtype)
        else:
            self.mix_tokens = _PlainMixing(block, dtype)
        norm, mlp, scale = block.after_norm, block.output, block.layer_scale_2
        self.eps = norm.eps
        first = mlp.conv1.weight * norm.weight[:, None, None]  # (C_hidden, C, 1, 1), by input channel
        first_bias = _bias(mlp.conv1) + mlp.conv1.weight[:, :, 0, 0] @ norm.bias
        second = mlp.conv2.weight * scale[:, None, None, None]  # (C, C_hidden, 1, 1), by output channel
        exact_gelu = isinstance(mlp.act_fn, nn.GELU) and mlp.act_fn.approximate == "none"
        self.activate: Step = nn.Identity() if exact_gelu else _copy(mlp.act_fn, dtype)
        self.conv1 = PackedConvolution(
            first.to(dtype), first_bias.to(dtype), gelu=exact_gelu, height=height, width=width
        )
        self.conv2 = PackedConvolution(
            second.to(dtype), (scale * _bias(mlp.conv2)).to(dtype), height=height, width=width
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = self.mix_tokens(x)
        normed = functional.group_norm(x, 1, eps=self.eps)
        return self.conv2.add_to(x, self.activate(self.conv1(normed)))


class _FusedPooling:
    """x + layer_scale * (pool(norm(x)) - norm(x)) as one interpolation; a new tensor."""

    def __init__(self, block: PoolFormerLayer, pool: nn.AvgPool2d, dtype: torch.dtype) -> None:
        self.pool, self.eps = pool, block.before_norm.eps
        self.gain = (block.layer_scale_1 * block.before_norm.weight)[:, None, None].to(dtype)  # (C, 1, 1)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        variance = x.var((1, 2, 3), correction=0, keepdim=True)  # (B, 1, 1, 1)
        return torch.lerp(x, self.pool(x), self.gain * torch.rsqrt(variance + self.eps))


class _PlainMixing:
    """x + layer_scale * mixer(norm(x)), as in the model; a new tensor."""

    def __init__(self, block: PoolFormerLayer, dtype: torch.dtype) -> None:
        self.norm, self.token_mixer = _copy(block.before_norm, dtype), _copy(block.token_mixer, dtype)
        self.scale = block.layer_scale_1[:, None, None].to(dtype)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = x + self.scale * self.token_mixer(self.norm(x))
        return mixed.contiguous(memory_format=torch.channels_last)


def _fold_embedding(embedding: nn.Module, size: tuple[int, int], dtype: torch.dtype) -> Step:
    """The patch embedding with packed weights; a module that somebody put in its place stays as it is."""
    if not isinstance(embedding, PoolFormerEmbeddings):
        return _copy(embedding, dtype)
    convolution = embedding.projection
    weight, bias = (tensor.to(dtype, copy=True) for tensor in (convolution.weight, _bias(convolution)))
    stride, padding = convolution.stride[0], cast(tuple[int, int], convolution.padding)[0]
    return PackedConvolution(weight, bias, stride, padding, height=size[0], width=size[1])


def _bias(convolution: nn.Conv2d) -> torch.Tensor:
    return cast(torch.Tensor, convolution.bias)  # no convolution of the network is without


def _copy(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    return copy.deepcopy(module).to(dtype).eval().requires_grad_(False)
