"""The raw activations as a file that other programs open."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from poolformer.errors import PoolFormerError
from poolformer.inspection.tensors import encode_tensors

EXPORT_FORMATS = ("npz", "safetensors")
RAW_FORMAT = "poolformer-hidden-states/1"


def encode_stages(stages: Sequence[npt.NDArray[np.float32]], variant: str, file_format: str) -> bytes:
    """The stages, float32 (C, H, W) each, as the bytes of an .npz or .safetensors file, unchanged.

    They are called stage1, stage2, ... The variant's name goes with them: as an array `variant` of one string in an
    .npz, in the metadata of a .safetensors file, where `format` says RAW_FORMAT.

    Raises:
        PoolFormerError: a format that is not offered.

    >>> import io
    >>> content = encode_stages([np.zeros((8, 4, 4), np.float32)], "tiny", "npz")
    >>> file = np.load(io.BytesIO(content))
    >>> str(file["variant"]), file["stage1"].shape
    ('tiny', (8, 4, 4))
    """
    named = {f"stage{number}": stage for number, stage in enumerate(stages, start=1)}
    if file_format == "safetensors":
        return encode_tensors(named, {"format": RAW_FORMAT, "variant": variant})
    if file_format == "npz":
        encoded = io.BytesIO()
        np.savez(encoded, allow_pickle=False, variant=np.array(variant), **named)
        return encoded.getvalue()
    raise PoolFormerError(f"Activations are exported as {' or '.join(EXPORT_FORMATS)}, not as {file_format!r}.")
