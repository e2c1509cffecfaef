"""What the networks return: named results that also read as a tuple or a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch


@dataclass
class ModelOutput:
    """Named results that also read as a tuple or a mapping: by attribute, key, index, unpacking; None is left out.

    Iterating gives the values, so that `logits, hidden_states = output` unpacks them.

    >>> output = ImageClassifierOutputWithNoAttention(logits=torch.zeros(1, 2))
    >>> output.logits is output["logits"] is output[0]
    True
    >>> output.keys(), "loss" in output, output.loss
    (['logits'], False, None)
    """

    def to_tuple(self) -> tuple[Any, ...]:
        """The results that are not None, in order."""
        return tuple(self.values())

    def items(self) -> list[tuple[str, Any]]:
        """(name, value) of the results that are not None, in order."""
        pairs = [(f.name, getattr(self, f.name)) for f in fields(self)]
        return [pair for pair in pairs if pair[1] is not None]

    def keys(self) -> list[str]:
        """The names of the results that are not None, in order."""
        return [name for name, _ in self.items()]

    def values(self) -> list[Any]:
        """The results that are not None, in order."""
        return [value for _, value in self.items()]

    def get(self, key: str, default: Any = None) -> Any:
        """The result of that name, or `default` where it is None or unknown."""
        return dict(self.items()).get(key, default)

    def __getitem__(self, key: str | int | slice) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else self.to_tuple()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())

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


# So that torch finds the tensors inside: torch.export, DistributedDataParallel.
torch.export.register_dataclass(BaseModelOutputWithNoAttention)
torch.export.register_dataclass(ImageClassifierOutputWithNoAttention)
