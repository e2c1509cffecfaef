"""The PoolFormer network, top to bottom in the order that data flows through it.

Module names are Hugging Face's, because the keys of published checkpoints are made of them. Evaluation is identical to
`transformers`. Training follows the original code (github.com/sail-sg/poolformer) where the two differ: the channel MLP
has no stochastic depth of its own, convolutions keep PyTorch's default initialisation, and the classifier starts
truncated-normal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from poolformer.nn.activations import ACTIVATIONS
from poolformer.nn.config import PoolFormerConfig
from poolformer.nn.mixers import PoolFormerPooling


class PoolFormerGroupNorm(nn.GroupNorm):
    """Group normalisation with one group: each picture is normalised over all its channels and places together."""

    def __init__(self, num_channels: int) -> None:
        super().__init__(1, num_channels)


class PoolFormerEmbeddings(nn.Module):
    """Patch embedding: one strided convolution, (B, C_in, H, W) -> (B, C, H', W') with overlapping patches."""

    def __init__(self, in_channels: int, channels: int, patch_size: int, stride: int, padding: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(in_channels, channels, patch_size, stride, padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        embeddings: torch.Tensor = self.projection(x)
        return embeddings


class PoolFormerOutput(nn.Module):
    """Channel MLP: one two-layer perceptron for every place, as 1 x 1 convolutions. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, hidden_channels: int, hidden_act: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, hidden_channels, 1)
        self.act_fn = ACTIVATIONS[hidden_act]()
        self.conv2 = nn.Conv2d(hidden_channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = self.conv2(self.act_fn(self.conv1(x)))
        return mixed


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


class PoolFormerLayer(nn.Module):
    """One block: tokens are mixed, then channels, each around a residual connection. (B, C, H, W) -> (B, C, H, W)."""

    layer_scale_1: torch.Tensor  # (C,)
    layer_scale_2: torch.Tensor

    def __init__(self, config: PoolFormerConfig, channels: int, drop_path_rate: float) -> None:
        super().__init__()
        self.pooling = PoolFormerPooling(config.pool_size)
        self.output = PoolFormerOutput(channels, int(channels * config.mlp_ratio), config.hidden_act)
        self.before_norm = PoolFormerGroupNorm(channels)
        self.after_norm = PoolFormerGroupNorm(channels)
        self.drop_path = DropPath(drop_path_rate)
        if config.use_layer_scale:
            self.layer_scale_1 = nn.Parameter(torch.full((channels,), float(config.layer_scale_init_value)))
            self.layer_scale_2 = nn.Parameter(torch.full((channels,), float(config.layer_scale_init_value)))
        else:  # Scaling by one: the same equation, and nothing in the state dict.
            self.register_buffer("layer_scale_1", torch.ones(channels), persistent=False)
            self.register_buffer("layer_scale_2", torch.ones(channels), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s1, s2 = self.layer_scale_1[:, None, None], self.layer_scale_2[:, None, None]  # (C,) -> (C, 1, 1)
        x = x + self.drop_path(s1 * self.pooling(self.before_norm(x)))
        x = x + self.drop_path(s2 * self.output(self.after_norm(x)))
        return x


class PoolFormerEncoder(nn.Module):
    """The stages: each embeds patches of the one before and runs its blocks. Returns one (B, C_i, H_i, W_i) a stage."""

    def __init__(self, config: PoolFormerConfig) -> None:
        super().__init__()
        channels = [config.num_channels, *config.hidden_sizes]
        self.patch_embeddings = nn.ModuleList(
            PoolFormerEmbeddings(channels[i], channels[i + 1], *geometry)
            for i, geometry in enumerate(zip(config.patch_sizes, config.strides, config.padding, strict=True))
        )
        rates = iter(torch.linspace(0, config.drop_path_rate, sum(config.depths), device="cpu").tolist())
        self.block = nn.ModuleList(
            nn.ModuleList(PoolFormerLayer(config, width, next(rates)) for _ in range(depth))
            for width, depth in zip(config.hidden_sizes, config.depths, strict=True)
        )

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x, stages = pixel_values, []
        for embed, blocks in zip(self.patch_embeddings, self.block, strict=True):
            x = embed(x)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
            stages.append(x)
        return tuple(stages)


@dataclass
class ModelOutput:
    """Named results that also read as a tuple or a mapping: by attribute, key, index, unpacking; None is left out."""

    def to_tuple(self) -> tuple[Any, ...]:
        """The results that are not None, in order."""
        return tuple(value for _, value in self.items())

    def items(self) -> list[tuple[str, Any]]:
        """(name, value) of the results that are not None, in order."""
        pairs = [(f.name, getattr(self, f.name)) for f in fields(self)]
        return [pair for pair in pairs if pair[1] is not None]

    def keys(self) -> list[str]:
        """The names of the results that are not None, in order."""
        return [name for name, _ in self.items()]

    def __getitem__(self, key: str | int | slice) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())

    def __len__(self) -> int:
        return len(self.items())


@dataclass
class BaseModelOutputWithNoAttention(ModelOutput):
    """What PoolFormerModel returns: the last stage, (B, C, H, W), and on request every stage, (B, C_i, H_i, W_i)."""

    last_hidden_state: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


@dataclass
class ImageClassifierOutputWithNoAttention(ModelOutput):
    """What the classifier returns: loss () if labels came, logits (B, num_labels), and on request the stages."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


class PoolFormerModel(nn.Module):
    """The stages without a head.

    `pixel_values` is (B, num_channels, H, W), normalised as the checkpoint's processor does. The last hidden state is
    (B, hidden_sizes[-1], H', W'); `hidden_states` has one entry a stage, taken at the stage's end, before any norm.

    >>> model = PoolFormerModel(PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32]))
    >>> model(torch.zeros(1, 3, 64, 64)).last_hidden_state.shape
    torch.Size([1, 32, 2, 2])
    """

    def __init__(self, config: PoolFormerConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.encoder = PoolFormerEncoder(config)

    def forward(
        self,
        pixel_values: torch.Tensor,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithNoAttention | tuple[Any, ...]:
        stages = self.encoder(pixel_values)
        hidden_states = stages if _choose(output_hidden_states, self.config.output_hidden_states) else None
        if not _choose(return_dict, self.config.return_dict):
            return (stages[-1], None) if hidden_states is None else (stages[-1], None, hidden_states)
        return BaseModelOutputWithNoAttention(stages[-1], hidden_states)


class PoolFormerForImageClassification(nn.Module):
    """The stages, a final norm, the mean over all places and a linear classifier.

    `pixel_values` is (B, num_channels, H, W), normalised as the checkpoint's processor does; logits are
    (B, num_labels). The head is linear after a mean, so every place's share of a logit is exact.
    """

    def __init__(self, config: PoolFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.num_labels = config.num_labels
        self.poolformer = PoolFormerModel(config)
        self.norm = PoolFormerGroupNorm(config.hidden_sizes[-1])
        self.classifier = nn.Linear(config.hidden_sizes[-1], self.num_labels) if self.num_labels else nn.Identity()
        if isinstance(self.classifier, nn.Linear):
            nn.init.trunc_normal_(self.classifier.weight, std=config.initializer_range)
            nn.init.zeros_(self.classifier.bias)

    def forward(
        self,
        pixel_values: torch.Tensor,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> ImageClassifierOutputWithNoAttention | tuple[Any, ...]:
        stages = self.poolformer.encoder(pixel_values)
        logits = self.classifier(self.norm(stages[-1]).mean([-2, -1]))  # (B, C, H, W) -> (B, C) -> (B, num_labels)
        hidden_states = stages if _choose(output_hidden_states, self.config.output_hidden_states) else None
        if not _choose(return_dict, self.config.return_dict):
            return (logits,) if hidden_states is None else (logits, hidden_states)
        return ImageClassifierOutputWithNoAttention(logits=logits, hidden_states=hidden_states)


def _choose(asked: bool | None, default: bool) -> bool:
    return default if asked is None else asked
