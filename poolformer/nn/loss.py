"""The classifier's loss, as the kind of problem decides."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from poolformer.errors import ConfigError
from poolformer.nn.config import PoolFormerConfig


def classification_loss(logits: torch.Tensor, labels: torch.Tensor, config: PoolFormerConfig) -> torch.Tensor:
    """The mean loss of a batch, (): `logits` are (B, num_labels), `labels` what `config.problem_type` asks for.

    | problem_type | labels | loss |
    |---|---|---|
    | regression | floats, (B, num_labels), or (B,) for one label | mean squared error |
    | single_label_classification | whole numbers of 0 to num_labels - 1, (B,); -100 is left out | cross-entropy |
    | multi_label_classification | floats of 0 to 1, (B, num_labels) | binary cross-entropy of each logit |

    A problem_type of None is decided by the first labels and then stored in `config`, as in `transformers`, so that a
    saved checkpoint says what it was trained for.

    Raises:
        ConfigError: there is no classifier (num_labels is 0).

    >>> config = PoolFormerConfig(num_labels=3)
    >>> classification_loss(torch.zeros(1, 3), torch.tensor([2]), config)
    tensor(1.0986)
    >>> config.problem_type
    'single_label_classification'
    """
    if config.num_labels == 0:
        raise ConfigError("num_labels is 0; it must be at least 1 for a loss: build the model with as many labels.")
    if config.problem_type is None:
        config.problem_type = _infer_problem_type(labels, config.num_labels)
    labels = labels.to(logits.device)
    if config.problem_type == "single_label_classification":
        return F.cross_entropy(logits, labels.reshape(-1))
    if config.problem_type == "multi_label_classification":
        return F.binary_cross_entropy_with_logits(logits, labels)
    if config.num_labels == 1:
        return F.mse_loss(logits.squeeze(), labels.squeeze())  # (B, 1) and (B,) or (B, 1)
    return F.mse_loss(logits, labels)


def _infer_problem_type(labels: torch.Tensor, num_labels: int) -> str:
    if num_labels == 1:
        return "regression"
    is_class = labels.dtype in (torch.int64, torch.int32)
    return "single_label_classification" if is_class else "multi_label_classification"
