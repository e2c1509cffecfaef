"""Which tensor of a checkpoint belongs to which parameter of a network, and which parameters are left to start anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch

from poolformer.errors import WeightsError

BACKBONE = "poolformer."  # what the classifier's keys have before those of the network without a head
HEAD = ("norm.", "classifier.")
NAMED_KEYS = 3  # how many keys of each kind an error names: enough to see the pattern, few enough for a sentence


@dataclass(frozen=True, eq=False)
class Fitted:
    """`tensors` under the network's keys, and the keys for which the checkpoint has nothing: those start `new`."""

    tensors: dict[str, torch.Tensor]
    new: tuple[str, ...]


def fit_tensors(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], *, ignore_mismatched_sizes: bool = False
) -> Fitted:
    """The checkpoint `found` under the keys of the state dict `expected`, of which only the shapes are read.

    A network without a head takes what it needs from a classifier's checkpoint. A classifier takes a checkpoint without
    a head, or without a classifier, and starts what is lacking anew. `ignore_mismatched_sizes` also starts anew what
    has another shape, as a classifier for other labels has. Everything else has to fit.

    Raises:
        WeightsError: keys are missing, unexpected, or of another shape; the sentence names the first few.
    """
    tensors = _without_unused(_aligned(found, expected), expected)
    has_head = any(key.startswith(HEAD) for key in tensors)
    missing = [key for key in expected if key not in tensors]
    new = [key for key in missing if _may_start_new(key, tensors, has_head)]
    reshaped = [key for key in expected if key in tensors and tensors[key].shape != expected[key].shape]
    if ignore_mismatched_sizes:
        new += reshaped
    elif reshaped and all(key.startswith("classifier.") for key in reshaped):
        raise WeightsError(
            f"The checkpoint knows {len(tensors[reshaped[0]])} labels and {len(expected[reshaped[0]])} are asked for; "
            "leave num_labels out to keep its own, or give ignore_mismatched_sizes=True for a new classifier to train."
        )
    refuse_mismatches(tensors, expected, new)
    return Fitted({key: tensors[key] for key in expected if key not in new}, tuple(new))


def _aligned(found: Mapping[str, torch.Tensor], expected: Iterable[str]) -> dict[str, torch.Tensor]:
    """`found` with or without the prefix that tells a classifier's keys from those of the network inside it."""
    found_has, expected_has = (any(key.startswith(BACKBONE) for key in keys) for keys in (found, expected))
    if expected_has and not found_has:
        return {key if key.startswith(HEAD) else BACKBONE + key: tensor for key, tensor in found.items()}
    if found_has and not expected_has:
        return {key.removeprefix(BACKBONE): tensor for key, tensor in found.items() if not key.startswith(HEAD)}
    return dict(found)


def _without_unused(tensors: dict[str, torch.Tensor], expected: Iterable[str]) -> dict[str, torch.Tensor]:
    """`tensors` without a classifier that the network has no place for, because it was asked for features."""
    if any(key.startswith("classifier.") for key in expected):
        return tensors
    return {key: tensor for key, tensor in tensors.items() if not key.startswith("classifier.")}


def _may_start_new(key: str, tensors: Mapping[str, torch.Tensor], has_head: bool) -> bool:
    """Whether a missing key belongs to a part that the checkpoint lacks as a whole, rather than to a damaged one."""
    if key.startswith("classifier."):
        return not any(found.startswith("classifier.") for found in tensors)
    return key.startswith(HEAD) and not has_head


def refuse_mismatches(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], new: Collection[str] = ()
) -> None:
    """Nothing, if `found` has exactly the keys of `expected` that are not `new`, and their shapes.

    Raises:
        WeightsError: keys are missing, unexpected, or of another shape; the sentence names the first few.
    """
    kinds = {
        "missing": [key for key in expected if key not in found and key not in new],
        "unexpected": [key for key in found if key not in expected],
        "of another shape": [
            f"{key} {tuple(found[key].shape)} instead of {tuple(expected[key].shape)}"
            for key in expected
            if key in found and key not in new and found[key].shape != expected[key].shape
        ],
    }
    problems = "; ".join(f"{len(keys)} {kind} ({first_few(keys)})" for kind, keys in kinds.items() if keys)
    if problems:
        raise WeightsError(f"The weights do not fit their config: {problems}; use the two that were saved together.")


def first_few(keys: list[str]) -> str:
    """The first `NAMED_KEYS` of them, as part of a sentence."""
    return ", ".join(keys[:NAMED_KEYS]) + (", ..." if len(keys) > NAMED_KEYS else "")
