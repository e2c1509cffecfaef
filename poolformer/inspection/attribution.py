"""What a prediction is made of. The head is linear after a mean, so every channel's share of a logit is exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from poolformer.nn import PoolFormerForImageClassification
from poolformer.nn.fused import FusedPoolFormer


@dataclass(frozen=True, eq=False)
class ClassEvidence:
    """How the logits of K classes come about: `logits[k]` is the sum of `channels[k]`, plus `biases[k]`.

    classes: each class's row of the classifier.
    channels: float32 (K, C), what each channel of the last stage adds: its weight in the class's row times its mean
        over all places after the final norm.
    """

    classes: tuple[int, ...]
    logits: tuple[float, ...]
    biases: tuple[float, ...]
    channels: npt.NDArray[np.float32]


@torch.no_grad()
def class_evidence(
    model: PoolFormerForImageClassification | FusedPoolFormer, last_hidden_state: torch.Tensor, classes: Sequence[int]
) -> ClassEvidence:
    """The evidence for `classes` in one picture, from its last stage before the final norm, (1, C, H, W).

    Empty for a model without labels, which has no classes.
    """
    means = model.norm(last_hidden_state.to(model.device))[0].mean([-2, -1])  # (1, C, H, W) -> (C,)
    if not isinstance(model.classifier, torch.nn.Linear):
        return ClassEvidence((), (), (), np.zeros((0, len(means)), np.float32))
    rows = list(classes)
    logits = model.classifier(means)[rows]
    return ClassEvidence(
        classes=tuple(rows),
        logits=tuple(logits.tolist()),
        biases=tuple(model.classifier.bias[rows].tolist()),
        channels=(model.classifier.weight[rows] * means).cpu().numpy(),
    )
