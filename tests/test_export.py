"""Exported activations, read back by numpy and by safetensors."""

import io
import json

import numpy as np
import pytest
from safetensors.numpy import load

from poolformer.errors import PoolFormerError
from poolformer.inspection.export import encode_stages

STAGES = [
    np.random.default_rng(i).standard_normal(shape).astype(np.float32) for i, shape in enumerate([(2, 5, 4), (7, 2, 2)])
]


def assert_same(arrays):
    assert [arrays[name].dtype for name in ("stage1", "stage2")] == [np.float32] * 2
    for name, stage in zip(("stage1", "stage2"), STAGES, strict=True):
        np.testing.assert_array_equal(arrays[name], stage)


def test_an_npz_has_the_names_the_shapes_and_the_variant():
    with np.load(io.BytesIO(encode_stages(STAGES, "s12", "npz")), allow_pickle=False) as arrays:
        assert sorted(arrays) == ["stage1", "stage2", "variant"]
        assert str(arrays["variant"]) == "s12"
        assert_same(arrays)


def test_a_safetensors_file_has_the_names_the_shapes_and_the_variant():
    content = encode_stages(
        [stage.transpose(0, 2, 1).copy().transpose(0, 2, 1) for stage in STAGES], "s12", "safetensors"
    )
    arrays = load(content)
    assert sorted(arrays) == ["stage1", "stage2"]
    assert_same(arrays)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {"format": "poolformer-hidden-states/1", "variant": "s12"}


@pytest.mark.parametrize("file_format", ["npz", "safetensors"])
def test_the_same_activations_give_the_same_bytes(file_format):
    assert encode_stages(STAGES, "s12", file_format) == encode_stages(STAGES, "s12", file_format)


@pytest.mark.parametrize("file_format", ["", "pickle", "NPZ", "None"])
def test_another_format_is_refused(file_format):
    with pytest.raises(PoolFormerError, match="npz or safetensors"):
        encode_stages(STAGES, "s12", file_format)
