"""Named arrays as bytes in the safetensors format, the same bytes for the same arrays every time.

The library of that name reads them. Its own writer puts the metadata in another order from call to call, and the page's
files are named by their content, so that what is shown twice lies there once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

DTYPES = {np.dtype("<f4"): "F32", np.dtype("u1"): "U8"}
HEADER_ALIGNMENT = 8  # bytes; the format's own rule


def encode_tensors(tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """Arrays of float32 or uint8, of any strides, and strings about them, wider numbers first, then by name."""
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": DTYPES[array.dtype], "shape": array.shape, "data_offsets": [begin, end]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % HEADER_ALIGNMENT)
    return b"".join([len(encoded).to_bytes(8, "little"), encoded, *(array.tobytes() for _, array in ordered)])
