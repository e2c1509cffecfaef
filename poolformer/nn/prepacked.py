"""Convolutions whose weights lie in memory as the processor's kernels want them, packed once instead of at every call.

oneDNN repacks the weights of a convolution whenever it is called, which for the 1 x 1 convolutions of a channel MLP
costs nearly as much as the arithmetic. torch packs them once for the code that its compiler writes, by operators under
`torch.ops.mkldnn` that are no public interface. This is the only file that names them. Where they are missing, refuse,
or give another result than torch's own convolution, that one is used instead: the same numbers, slower. There are no
gradients through the packed ones.
"""

from __future__ import annotations

import functools
import logging
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

logger = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # of values around 1: another order of sums, and no more
SEVERAL = 8  # pictures: what two or more want was the same wherever it was looked at


class PackedConvolution(nn.Module):
    """A convolution with fixed weight (C_out, C_in, k, k) and bias (C_out,), followed by GELU if `gelu`.

    Called with x (B, C_in, H, W), channels_last, it gives a new (B, C_out, H', W'). `add_to(total, x)` adds the
    convolution of x, without GELU, to `total` in place. The packing is chosen for maps of `height` x `width`: others
    work, slower. One picture may want another packing than several; then there are both. `packed` False, or another
    device than the CPU, leaves the weights as they are.
    """

    weight: torch.Tensor  # for one picture
    several: torch.Tensor | None  # for several, where that is another
    bias: torch.Tensor

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        stride: int = 1,
        padding: int = 0,
        *,
        gelu: bool = False,
        height: int = 14,
        width: int = 14,
        packed: bool | None = None,
    ) -> None:
        super().__init__()
        self.gelu = gelu
        self.stride, self.padding, self.dilation = [stride] * 2, [padding] * 2, [1, 1]
        self.packed = packing_works(weight.dtype) and weight.device.type == "cpu" if packed is None else packed
        several = None
        if self.packed:
            geometry = Geometry(padding, stride, height, width, torch.get_num_threads())
            if wants_another(weight.shape, weight.dtype, geometry):
                several = pack(weight, SEVERAL, geometry)
            weight = pack(weight, 1, geometry)
        else:
            weight = weight.contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("several", several, persistent=False)
        self.register_buffer("bias", bias.contiguous(), persistent=False)

    def _weight_for(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight if self.several is None or len(x) == 1 else self.several

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.packed:
            mapped = functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)
            return functional.gelu(mapped) if self.gelu else mapped
        after = "gelu" if self.gelu else "none"
        packed: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight_for(x), self.bias, self.padding, self.stride, self.dilation, 1, after, [], "none"
        )
        return packed

    def add_to(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """`total`, with the convolution of x added to it in place."""
        if not self.packed:
            return total.add_(functional.conv2d(x, self.weight, self.bias, self.stride, self.padding))
        added: torch.Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            total,
            x,
            self._weight_for(x),
            self.bias,
            self.padding,
            self.stride,
            self.dilation,
            1,
            "add",
            None,
            None,
            [],
            None,
        )
        return added


class Geometry(NamedTuple):
    """What the packing of a convolution's weights depends on, beside their shape."""

    padding: int
    stride: int
    height: int
    width: int
    threads: int


def pack(weight: torch.Tensor, pictures: int, geometry: Geometry) -> torch.Tensor:
    """The weight (C_out, C_in, k, k), packed for so many maps."""
    padding, stride, height, width, _ = geometry
    size = [pictures, weight.shape[1], height, width]
    packed: torch.Tensor = torch.ops.mkldnn._reorder_convolution_weight(
        weight.contiguous(), [padding] * 2, [stride] * 2, [1, 1], 1, size
    )
    return packed


@functools.cache
def wants_another(shape: torch.Size, dtype: torch.dtype, geometry: Geometry) -> bool:
    """Whether several pictures want another packing than one; asked once for all layers of one kind."""
    weight = torch.zeros(shape, dtype=dtype)
    one, several = (
        torch.ops.mkldnn._get_mkldnn_serialized_md(pack(weight, pictures, geometry)) for pictures in (1, SEVERAL)
    )
    return not torch.equal(one, several)


@functools.cache
def packing_works(dtype: torch.dtype) -> bool:
    """Whether packed convolutions of this type give the numbers of torch's own here; tried once, and logged if not."""
    if dtype not in TOLERANCE or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    x = draw(2, 24, 9, 7).contiguous(memory_format=torch.channels_last)
    total = draw(2, 40, 9, 7).contiguous(memory_format=torch.channels_last)
    pointwise, spatial = (draw(40, 24, k, k) / (k * 24**0.5) for k in (1, 3))
    bias = draw(40)
    try:
        with torch.inference_mode():
            for weight, stride, padding, gelu in ((pointwise, 1, 0, True), (spatial, 2, 1, False)):
                ours, plain = (
                    PackedConvolution(weight, bias, stride, padding, gelu=gelu, packed=packed)
                    for packed in (True, False)
                )
                _check_close(ours(x), plain(x))
            ours, plain = (PackedConvolution(pointwise, bias, packed=packed) for packed in (True, False))
            sums = ours.add_to(total.clone(), x), plain.add_to(total.clone(), x)
            _check_close(*sums)
    except (RuntimeError, AttributeError, NotImplementedError, AssertionError) as error:
        logger.warning("Packed convolutions do not work here, so the network is slower: %s", error)
        return False
    return True


def _check_close(ours: torch.Tensor, plain: torch.Tensor) -> None:
    tolerance = TOLERANCE[plain.dtype]
    # torch.testing.assert_close would import 500 modules for it, in more than a second.
    if not torch.allclose(ours, plain, rtol=tolerance, atol=tolerance):
        raise AssertionError(f"they differ by up to {(ours - plain).abs().max():.2g}")
