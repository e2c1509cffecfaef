"""The forward pass with its four hidden states: against `transformers`, and against the convolutions alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks.checkpoints import build_model
from benchmarks.oracle import assert_equal, build_oracle
from benchmarks.plan import Plan
from benchmarks.surroundings import has_bfloat16
from benchmarks.table import Measure, Row
from poolformer import PoolFormerForImageClassification
from poolformer.nn.fused import FusedPoolFormer
from poolformer.nn.prepacked import PackedConvolution
from poolformer.training.speed import by_turns
from poolformer.weights.variants import VARIANTS

SIZE_PX = 224
ROUNDS = {1: 15, 8: 5}  # by pictures in a batch
FASTER = {"s12": 1.5, "m48": 1.25}  # times as fast as transformers: the goals
LIMIT = 1.2  # times the convolutions alone: the goal
HALF_NAMES = ("s12", "m48")  # measured in bfloat16, too

CHANNELS_LAST = torch.channels_last

Action = Callable[[], Any]


def measure(plan: Plan) -> list[Row]:
    """All rows."""
    types = plan.some((torch.float32, torch.bfloat16) if has_bfloat16() else (torch.float32,))
    return [
        row
        for name in plan.some(tuple(VARIANTS))
        for dtype in types
        if dtype == torch.float32 or name in HALF_NAMES
        for row in measure_variant(name, dtype, plan)
    ]


@torch.no_grad()
def measure_variant(name: str, dtype: torch.dtype, plan: Plan) -> list[Row]:
    """The rows of one variant in one number type."""
    model = build_model(name)
    oracle = build_oracle(model)
    if dtype == torch.float32:
        x = torch.randn(2, 3, SIZE_PX, SIZE_PX)
        for compiled in (False, True) if plan.compiled else (False,):
            assert_equal(FusedPoolFormer(model, dtype, compiled)(x), oracle(x, output_hidden_states=True))
    oracle = oracle.to(dtype)
    rows = []
    for batch, rounds in plan.some(tuple(ROUNDS.items())):
        x = torch.randn(batch, 3, SIZE_PX, SIZE_PX).to(dtype)
        actions: dict[str, Action] = {"ours": partial(FusedPoolFormer(model, dtype), x)}
        if plan.compiled:
            actions["compiled"] = partial(FusedPoolFormer(model, dtype, compiled=True), x)
        actions["theirs"] = torch.inference_mode()(partial(oracle, x, output_hidden_states=True))
        actions["limit"] = torch.inference_mode()(BareConvolutions(model, x))
        rows += _rows(
            f"{name}, {_type_name(dtype)}, batch {batch}", name, dtype, by_turns(actions, plan.rounds(rounds))
        )
    return rows


def _rows(what: str, name: str, dtype: torch.dtype, spent: dict[str, list[float]]) -> list[Row]:
    found = {key: Measure.of(times) for key, times in spent.items()}
    in_full = dtype == torch.float32  # the goals are for what is exact
    rows = [
        Row(
            f"forward: {what}",
            "ms",
            found["ours"],
            found["theirs"],
            "transformers",
            at_least=FASTER.get(name) if in_full else None,
        ),
        Row(
            f"forward: {what}",
            "ms",
            found["ours"],
            found["limit"],
            "its convolutions alone",
            ratio_kind="of theirs",
            at_most=LIMIT if in_full else None,
        ),
    ]
    if "compiled" in found:
        rows.append(Row(f"forward, compiled: {what}", "ms", found["compiled"], found["theirs"], "transformers"))
    return rows


class BareConvolutions:
    """The convolutions of a model one after the other, with packed weights, and nothing else: the limit.

    They work on tensors of the sizes that they have in the model for `pixel_values`, one tensor a size.
    """

    def __init__(self, model: PoolFormerForImageClassification, pixel_values: torch.Tensor) -> None:
        used: list[tuple[nn.Conv2d, torch.Size]] = []

        def record(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if isinstance(module, nn.Conv2d):
                used.append((module, inputs[0].shape))

        hooks = [module.register_forward_pre_hook(record) for module in model.modules()]
        model(pixel_values.float())
        for hook in hooks:
            hook.remove()
        tensors = {size: torch.randn(size).to(pixel_values.dtype, memory_format=CHANNELS_LAST) for _, size in used}
        self.calls = [(_packed(convolution, size, pixel_values.dtype), tensors[size]) for convolution, size in used]

    def __call__(self) -> None:
        for convolution, x in self.calls:
            convolution(x)


def _packed(convolution: nn.Conv2d, size: torch.Size, dtype: torch.dtype) -> PackedConvolution:
    assert convolution.bias is not None
    return PackedConvolution(
        convolution.weight.to(dtype),
        convolution.bias.to(dtype),
        convolution.stride[0],
        int(convolution.padding[0]),
        height=size[2],
        width=size[3],
    )


def _type_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
