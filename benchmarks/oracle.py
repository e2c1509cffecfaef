"""The opponent: `transformers`' network with the weights of ours."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from poolformer import PoolFormerForImageClassification
from poolformer.nn.fused import FusedOutput

TOLERANCE = 1e-4  # of logits and hidden states around 1, float32


def build_oracle(model: PoolFormerForImageClassification) -> Any:
    """`transformers`' classifier with the weights of `model`, in evaluation mode."""
    with torch.device("meta"):
        oracle: Any = transformers.PoolFormerForImageClassification(
            transformers.PoolFormerConfig(**model.config.to_dict())
        )
    oracle.load_state_dict({key: value.clone() for key, value in model.state_dict().items()}, assign=True)
    return oracle.eval().requires_grad_(False)


def assert_equal(ours: FusedOutput, theirs: Any) -> None:
    """Raises AssertionError unless logits and hidden states are those of `transformers`, within TOLERANCE."""
    pairs = zip((ours.logits, *ours.hidden_states), (theirs.logits, *theirs.hidden_states), strict=True)
    for mine, other in pairs:
        torch.testing.assert_close(mine.float(), other, atol=TOLERANCE, rtol=TOLERANCE)
