"""The pack: all that the page shows of one run in one binary small enough to send, and the decoder that opens it.

A pack is in the safetensors format (github.com/huggingface/safetensors): an unsigned 64-bit little-endian length, a
JSON header of that length, then the raw data, wider numbers first. Its tensors, for stages numbered from 1:

- `stage1.codes`, ...: uint8 (C, H, W). The activation is about offset[c] + scale[c] * code.
- `stage1.offset`, `stage1.scale`, ...: float32 (C,), each channel's smallest activation and its quantisation step.
- `contributions`: float32 (K, C): what each channel of the last stage adds to the logit of each of K classes.
- `picture`: uint8 (H, W, 3): what the network saw.

Its metadata says which format this is (FORMAT) and which variant ran.

The quantisation step of a channel is a 255th of its range, (max - min) / 255, rounded up to the next float32. So no
decoded activation is further from the true one than half a step of its own channel, apart from the rounding to float32
that any arithmetic on it has; a channel that is constant has the step 0 and is exact.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from poolformer.errors import PoolFormerError
from poolformer.inspection.tensors import encode_tensors

FORMAT = "poolformer-activations/1"
LEVELS = 255  # steps between a channel's smallest and largest activation

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class QuantisedStage:
    """One stage in 8 bits: `codes` uint8 (C, H, W), `offset` and `scale` float32 (C,) in the activations' unit."""

    codes: Bytes
    offset: Floats
    scale: Floats

    def values(self) -> Floats:
        """The activations, float32 (C, H, W), each within half its channel's scale of what was quantised."""
        offset, scale = (array.astype(np.float64)[:, None, None] for array in (self.offset, self.scale))
        return (offset + scale * self.codes).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Pack:
    """What a pack holds: the stages in order, `contributions` float32 (K, C) and `picture` uint8 (H, W, 3)."""

    variant: str
    stages: tuple[QuantisedStage, ...]
    contributions: Floats
    picture: Bytes


def quantise(stage: Floats) -> QuantisedStage:
    """A stage, float32 (C, H, W), in 8 bits, each channel over its own range.

    Raises:
        PoolFormerError: an activation is not a finite number.
    """
    low, high = (edge.astype(np.float64) for edge in (stage.min(axis=(1, 2)), stage.max(axis=(1, 2))))
    spread = high - low
    if not np.isfinite(spread).all():
        raise PoolFormerError("Activations that are not finite numbers cannot be packed; check the weights.")
    scale = (spread / LEVELS).astype(np.float32)
    scale = np.where(scale.astype(np.float64) * LEVELS < spread, np.nextafter(scale, np.float32(np.inf)), scale)
    step = np.where(scale > 0, scale, 1).astype(np.float64)  # of a constant channel, whose codes are all 0
    codes = np.rint((stage - low[:, None, None]) / step[:, None, None]).astype(np.uint8)
    return QuantisedStage(codes, low.astype(np.float32), scale)


def encode_pack(pack: Pack) -> bytes:
    """The pack as one binary in the format that this module describes.

    >>> stage = quantise(np.ones((1, 2, 2), np.float32))
    >>> pack = Pack("tiny", (stage,), np.zeros((5, 1), np.float32), np.zeros((8, 8, 3), np.uint8))
    >>> decode_pack(encode_pack(pack)).stages[0].values().tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    tensors: dict[str, npt.NDArray[Any]] = {"contributions": pack.contributions, "picture": pack.picture}
    for number, stage in enumerate(pack.stages, start=1):
        tensors |= {f"stage{number}.{part}": getattr(stage, part) for part in ("codes", "offset", "scale")}
    return encode_tensors(tensors, {"format": FORMAT, "variant": pack.variant})


def decode_pack(content: bytes) -> Pack:
    """What `encode_pack` was given.

    Raises:
        PoolFormerError: these bytes are no pack, or one of another version.
    """
    try:
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
        if metadata["format"] != FORMAT:
            raise PoolFormerError(f"This pack is of the format {metadata['format']!r}; {FORMAT} is needed.")
        count = sum(name.endswith(".codes") for name in tensors)
        stages = tuple(
            QuantisedStage(*(tensors[f"stage{number}.{part}"] for part in ("codes", "offset", "scale")))
            for number in range(1, count + 1)
        )
        return Pack(metadata["variant"], stages, tensors["contributions"], tensors["picture"])
    except (SafetensorError, KeyError) as error:
        raise PoolFormerError("These bytes are no pack of activations; download or make it again.") from error
