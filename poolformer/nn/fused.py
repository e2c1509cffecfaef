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
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from poolformer.errors import ConfigError
from poolformer.nn.layout import stage_sizes
from poolformer.nn.mixers import PoolFormerPooling
from poolformer.nn.model import PoolFormerEmbeddings, PoolFormerForImageClassification, PoolFormerLayer
from poolformer.nn.prepacked import PackedConvolution

USUAL_SIZE_PX = 224  # how weights are packed is chosen for the maps of such a picture; others work as well


@dataclass(frozen=True, eq=False)
class FusedOutput:
    """What the network gives: logits (B, num_labels), and one (B, C, H, W) a stage."""

    logits: torch.Tensor
    hidden_states: tuple[torch.Tensor, ...]


class FusedPoolFormer:
    """The classifier `model` for inference, in `dtype`, on the device of the model.

    Calling it with pixel_values (B, C, H, W), of any dtype, gives logits and all hidden states, as
    `model(pixel_values, output_hidden_states=True)` would: within 1e-4 in float32; bfloat16 is 1.5 to 1.9 times as
    fast on processors that have it, and moves logits by up to 0.1. Hidden states are of `dtype`; the head, and so the
    logits, is float32 always. `compiled` has torch.compile write code for the network at the first call with a shape,
    which takes about a minute and, for the CPU, a C++ compiler. Nothing of the model is kept or shared.

    Raises:
        ConfigError: (when called) the network cannot be compiled here.
        ValueError: (when called) gradients are asked for; they do not pass through packed weights. Use the model.
    """

    def __init__(
        self, model: PoolFormerForImageClassification, dtype: torch.dtype = torch.float32, compiled: bool = False
    ) -> None:
        self.config, self.dtype, self.device, self.compiled = model.config, dtype, model.device, compiled
        with torch.no_grad():  # torch's compiler packs weights by itself.
            self.stages = _FusedStages(model, dtype, packed=False if compiled else None)
            self.norm, self.classifier = _copy(model.norm, torch.float32), _copy(model.classifier, torch.float32)
        options: dict[str, Any] = {"freezing": model.device.type == "cpu"}
        self._run = torch.compile(self.stages, options=options) if compiled else self.stages

    def __call__(self, pixel_values: torch.Tensor) -> FusedOutput:
        if torch.is_grad_enabled() and pixel_values.requires_grad:
            raise ValueError("A FusedPoolFormer has no gradients; call the model itself, or under torch.no_grad().")
        with torch.inference_mode(not self.compiled), torch.no_grad():  # torch's compiler freezes weights under no_grad
            x = pixel_values.to(self.device, self.dtype, memory_format=torch.channels_last)
            hidden_states = self._compiled(x) if self.compiled else self.stages(x)
            # (B, C, H, W) -> (B, C) -> (B, num_labels)
            logits = self.classifier(self.norm(hidden_states[-1].float()).mean([-2, -1]))
        return FusedOutput(logits, hidden_states)

    @property
    def nbytes(self) -> int:
        """What the weights take in memory."""
        modules = (self.stages, self.norm, self.classifier)
        return sum(t.nbytes for module in modules for t in (*module.parameters(), *module.buffers()))

    def _compiled(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        try:
            hidden_states: tuple[torch.Tensor, ...] = self._run(x)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # torch's own errors for a missing compiler, and for code that it cannot compile
            reason = str(error).strip().splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            raise ConfigError(f"The network cannot be compiled here ({reason}); leave --compile out.") from error
        return hidden_states


class _FusedStages(nn.Module):
    """All stages, (B, C, H, W) -> the hidden_states; `packed` as `PackedConvolution` takes it."""

    def __init__(self, model: PoolFormerForImageClassification, dtype: torch.dtype, packed: bool | None) -> None:
        super().__init__()
        size_px = model.config.image_size or USUAL_SIZE_PX
        sizes = [(size_px, size_px), *stage_sizes(model.config, size_px, size_px)]
        encoder = model.poolformer.encoder
        self.embeddings = nn.ModuleList(
            _fold_embedding(embedding, size, dtype, packed)
            for embedding, size in zip(encoder.patch_embeddings, sizes[:-1], strict=True)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(_FusedBlock(cast(PoolFormerLayer, block), size, dtype, packed) for block in blocks))
            for blocks, size in zip(cast(Iterable[nn.ModuleList], encoder.block), sizes[1:], strict=True)
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        hidden_states = []
        for embed, blocks in zip(self.embeddings, self.blocks, strict=True):
            x = blocks(embed(x))
            hidden_states.append(x)
        return tuple(hidden_states)


class _FusedBlock(nn.Module):
    """One block. (B, C, H, W) -> (B, C, H, W); may change its input in place."""

    def __init__(self, block: PoolFormerLayer, size: tuple[int, int], dtype: torch.dtype, packed: bool | None) -> None:
        super().__init__()
        height, width = size
        if isinstance(block.token_mixer, PoolFormerPooling):
            self.mix_tokens: nn.Module = _FusedPooling(block, block.token_mixer.pool, dtype)
        else:
            self.mix_tokens = _PlainMixing(block, dtype)
        norm, mlp, scale = block.after_norm, block.output, block.layer_scale_2
        self.eps = norm.eps
        first = mlp.conv1.weight * norm.weight[:, None, None]  # (C_hidden, C, 1, 1), by input channel
        first_bias = _bias(mlp.conv1) + mlp.conv1.weight[:, :, 0, 0] @ norm.bias
        second = mlp.conv2.weight * scale[:, None, None, None]  # (C, C_hidden, 1, 1), by output channel
        exact_gelu = isinstance(mlp.act_fn, nn.GELU) and mlp.act_fn.approximate == "none"
        self.activate = nn.Identity() if exact_gelu else _copy(mlp.act_fn, dtype)
        self.conv1 = PackedConvolution(
            first.to(dtype), first_bias.to(dtype), gelu=exact_gelu, height=height, width=width, packed=packed
        )
        self.conv2 = PackedConvolution(
            second.to(dtype), (scale * _bias(mlp.conv2)).to(dtype), height=height, width=width, packed=packed
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.mix_tokens(x)
        normed = functional.group_norm(x, 1, eps=self.eps)
        return self.conv2.add_to(x, self.activate(self.conv1(normed)))


class _FusedPooling(nn.Module):
    """x + layer_scale * (pool(norm(x)) - norm(x)) as one interpolation; a new tensor."""

    gain: torch.Tensor  # (C, 1, 1)

    def __init__(self, block: PoolFormerLayer, pool: nn.AvgPool2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.pool, self.eps = pool, block.before_norm.eps
        gain = (block.layer_scale_1 * block.before_norm.weight)[:, None, None]
        self.register_buffer("gain", gain.to(dtype), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        # One over the deviation, (B, 1). This operator finds it in a third of the time of torch.var.
        inverse = torch.native_group_norm(x, None, None, batch, channels, height * width, 1, self.eps)[2]
        return torch.lerp(x, self.pool(x), self.gain * inverse[:, :, None, None].to(x.dtype))


class _PlainMixing(nn.Module):
    """x + layer_scale * mixer(norm(x)), as in the model; a new tensor."""

    scale: torch.Tensor  # (C, 1, 1)

    def __init__(self, block: PoolFormerLayer, dtype: torch.dtype) -> None:
        super().__init__()
        self.norm, self.token_mixer = _copy(block.before_norm, dtype), _copy(block.token_mixer, dtype)
        scale = block.layer_scale_1[:, None, None]
        self.register_buffer("scale", scale.to(dtype, copy=True), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = x + self.scale * self.token_mixer(self.norm(x))
        return mixed.contiguous(memory_format=torch.channels_last)


def _fold_embedding(embedding: nn.Module, size: tuple[int, int], dtype: torch.dtype, packed: bool | None) -> nn.Module:
    """The patch embedding with packed weights; a module that somebody put in its place stays as it is."""
    if not isinstance(embedding, PoolFormerEmbeddings):
        return _copy(embedding, dtype)
    convolution = embedding.projection
    weight, bias = (tensor.to(dtype, copy=True) for tensor in (convolution.weight, _bias(convolution)))
    stride, padding = convolution.stride[0], cast(tuple[int, int], convolution.padding)[0]
    return PackedConvolution(weight, bias, stride, padding, height=size[0], width=size[1], packed=packed)


def _bias(convolution: nn.Conv2d) -> torch.Tensor:
    return cast(torch.Tensor, convolution.bias)  # no convolution of the network is without


def _copy(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    return copy.deepcopy(module).to(dtype).eval().requires_grad_(False)
