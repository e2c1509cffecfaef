"""The PoolFormer network, top to bottom in the order that data flows through it.

Module names are Hugging Face's, because the keys of published checkpoints are made of them. Evaluation is identical to
`transformers`. Training follows the original code (github.com/sail-sg/poolformer) where the two differ: the channel MLP
has no stochastic depth of its own, and the convolutions of the patch embeddings keep PyTorch's default initialisation,
where `transformers` draws their weights with initializer_range and sets their biases to zero. All else starts equal:
channel MLPs and the classifier normal with initializer_range, their biases zero, norms one and zero, layer scales
layer_scale_init_value. So do the weights of token mixers that have any, in the modules named `token_mixer`; pooling has
none, and `transformers` has no other.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from poolformer.errors import ImageError
from poolformer.nn.activations import ACTIVATIONS
from poolformer.nn.config import PoolFormerConfig
from poolformer.nn.drop_path import DropPath
from poolformer.nn.initialisation import draw_normal
from poolformer.nn.loss import classification_loss
from poolformer.nn.mixers import MIXERS
from poolformer.nn.outputs import BaseModelOutputWithNoAttention, ImageClassifierOutputWithNoAttention


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

    def __init__(self, channels: int, hidden_channels: int, hidden_act: str, initializer_range: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, hidden_channels, 1)
        self.act_fn = ACTIVATIONS[hidden_act]()
        self.conv2 = nn.Conv2d(hidden_channels, channels, 1)
        for convolution in (self.conv1, self.conv2):
            draw_normal(convolution, initializer_range)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = self.conv2(self.act_fn(self.conv1(x)))
        return mixed


class PoolFormerLayer(nn.Module):
    """One block of a stage, counted from 0: tokens are mixed, then channels, each around a residual connection.

    (B, C, H, W) -> (B, C, H, W). Which token mixer it has, the config says. With the identity as the mixer the first
    branch stays, as in the papers: `x + s1 * norm(x)`.
    """

    layer_scale_1: torch.Tensor  # (C,)
    layer_scale_2: torch.Tensor

    def __init__(self, config: PoolFormerConfig, stage: int, drop_path_rate: float) -> None:
        super().__init__()
        channels = config.hidden_sizes[stage]
        self.token_mixer = MIXERS[config.token_mixer](config, stage)
        hidden_channels = int(channels * config.mlp_ratio)
        self.output = PoolFormerOutput(channels, hidden_channels, config.hidden_act, config.initializer_range)
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
        x = x + self.drop_path(s1 * self.token_mixer(self.before_norm(x)))
        x = x + self.drop_path(s2 * self.output(self.after_norm(x)))
        return x

    @property
    def pooling(self) -> nn.Module:
        """The token mixer under its name in `transformers`."""
        return self.token_mixer


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
            nn.ModuleList(PoolFormerLayer(config, stage, next(rates)) for _ in range(depth))
            for stage, depth in enumerate(config.depths)
        )

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x, stages = pixel_values, []
        for embed, blocks in zip(self.patch_embeddings, self.block, strict=True):
            x = embed(x)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
            stages.append(x)
        return tuple(stages)


class PoolFormerNetwork(nn.Module):
    """What both networks share: the config they are built from, and where their parameters are."""

    config: PoolFormerConfig

    @property
    def device(self) -> torch.device:
        """The device that the parameters are on."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the parameters."""
        return next(self.parameters()).dtype

    def num_parameters(self, only_trainable: bool = False) -> int:
        """How many numbers the parameters hold; `only_trainable` leaves out those that require no gradient."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)


class PoolFormerModel(PoolFormerNetwork):
    """The stages without a head.

    Raises:
        ConfigError: `config` was changed into one that no network can be built from.

    >>> model = PoolFormerModel(PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32]))
    >>> model(torch.zeros(1, 3, 64, 64)).last_hidden_state.shape
    torch.Size([1, 32, 2, 2])
    """

    def __init__(self, config: PoolFormerConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.encoder = PoolFormerEncoder(config)

    def get_input_embeddings(self) -> nn.Module:
        """The patch embedding of the first stage."""
        return self.encoder.patch_embeddings[0]

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Puts another module, (B, C_in, H, W) -> (B, hidden_sizes[0], H', W'), before the first stage."""
        self.encoder.patch_embeddings[0] = value

    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithNoAttention | tuple[Any, ...]:
        """The last stage, (B, hidden_sizes[-1], H', W'), and with `output_hidden_states` every stage.

        Args:
            pixel_values: (B, num_channels, H, W), normalised as the checkpoint's processor does, in the model's dtype.
            output_hidden_states: whether to give one map a stage, taken at its end, before any norm.
            return_dict: False gives the plain tuple (last_hidden_state, None) or (last_hidden_state, None,
                hidden_states). Both default to what the config says.

        Raises:
            ImageError: no `pixel_values`.
        """
        if pixel_values is None:
            raise ImageError("pixel_values is None; give the pictures as a tensor (B, C, H, W).")
        stages = self.encoder(pixel_values)
        hidden_states = stages if _choose(output_hidden_states, self.config.output_hidden_states) else None
        if not _choose(return_dict, self.config.return_dict):
            return (stages[-1], None) if hidden_states is None else (stages[-1], None, hidden_states)
        return BaseModelOutputWithNoAttention(stages[-1], hidden_states)


class PoolFormerForImageClassification(PoolFormerNetwork):
    """The stages, a final norm, the mean over all places and a linear classifier.

    The head is linear after a mean, so every place's share of a logit is exact. Without labels (num_labels=0) there is
    no classifier, and the logits are the features under it, (B, hidden_sizes[-1]).

    Raises:
        ConfigError: `config` was changed into one that no network can be built from.

    >>> config = PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32], num_labels=5)
    >>> model = PoolFormerForImageClassification(config)
    >>> output = model(torch.zeros(2, 3, 64, 64), labels=torch.tensor([0, 4]))
    >>> output.logits.shape, output.loss.shape
    (torch.Size([2, 5]), torch.Size([]))
    """

    backbone_class: ClassVar[type[PoolFormerModel]] = PoolFormerModel

    def __init__(self, config: PoolFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.num_labels = config.num_labels
        self.poolformer = self.backbone_class(config)
        self.norm = PoolFormerGroupNorm(config.hidden_sizes[-1])
        self.classifier = nn.Linear(config.hidden_sizes[-1], self.num_labels) if self.num_labels else nn.Identity()
        if isinstance(self.classifier, nn.Linear):
            draw_normal(self.classifier, config.initializer_range)

    def get_input_embeddings(self) -> nn.Module:
        """The patch embedding of the first stage."""
        return self.poolformer.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Puts another module, (B, C_in, H, W) -> (B, hidden_sizes[0], H', W'), before the first stage."""
        self.poolformer.set_input_embeddings(value)

    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> ImageClassifierOutputWithNoAttention | tuple[Any, ...]:
        """Logits, (B, num_labels), with `labels` their loss, and with `output_hidden_states` every stage.

        Args:
            pixel_values: (B, num_channels, H, W), normalised as the checkpoint's processor does, in the model's dtype.
            labels: what `poolformer.nn.loss.classification_loss` describes; it decides config.problem_type if that is
                None.
            output_hidden_states: whether to give one map a stage, taken at its end, before any norm.
            return_dict: False gives the plain tuple ([loss,] logits[, hidden_states]). Both default to what the config
                says.

        Raises:
            ImageError: no `pixel_values`.
            ConfigError: `labels` for a model without a classifier.
        """
        outputs = self.poolformer(pixel_values, output_hidden_states, return_dict=True)
        # (B, C, H, W) -> (B, C) -> (B, num_labels)
        logits = self.classifier(self.norm(outputs.last_hidden_state).mean([-2, -1]))
        loss = None if labels is None else classification_loss(logits, labels, self.config)
        output = ImageClassifierOutputWithNoAttention(loss, logits, outputs.hidden_states)
        return output if _choose(return_dict, self.config.return_dict) else output.to_tuple()


def _choose(asked: bool | None, default: bool | None) -> bool | None:
    return default if asked is None else asked
