"""The pack, decoded by hand and by its own decoder, against the activations that went into it."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from poolformer.errors import PoolFormerError
from poolformer.images.decode import decode_image
from poolformer.inspection.pack import FORMAT, Pack, decode_pack, encode_pack, quantise
from poolformer.inspection.receptive_field import stage_geometries
from poolformer.service import PoolFormerService
from poolformer.weights.checkpoint import load_checkpoint
from poolformer.weights.variants import variant


def random_stage(C, H, W, seed=0):
    """Channels of very different size and offset, as float32."""
    rng = np.random.default_rng(seed)
    size, offset = 10.0 ** rng.uniform(-3, 3, (C, 1, 1)), rng.normal(size=(C, 1, 1))
    return (size * (rng.standard_normal((C, H, W)) + offset)).astype(np.float32)


def random_pack(shapes=((3, 8, 6), (5, 4, 3)), classes=5, picture=(12, 9, 3), variant="tiny"):
    rng = np.random.default_rng(1)
    stages = [random_stage(*shape) for shape in shapes]
    contributions = rng.standard_normal((classes, shapes[-1][0])).astype(np.float32)
    packed = Pack(variant, tuple(map(quantise, stages)), contributions, rng.integers(0, 256, picture, np.uint8))
    return stages, packed


def assert_within_half_a_step(stage, quantised):
    """No activation is off by more than half its channel's step, and the rounding to float32 of what is decoded."""
    error = np.abs(quantised.values().astype(np.float64) - stage)
    allowed = quantised.scale.astype(np.float64)[:, None, None] / 2 + np.spacing(np.abs(stage)).astype(np.float64)
    assert (error <= allowed).all()


@pytest.mark.parametrize("seed", range(5))
def test_an_activation_is_off_by_at_most_half_a_step_of_its_channel(seed):
    stage = random_stage(40, 14, 14, seed)
    quantised = quantise(stage)
    assert_within_half_a_step(stage, quantised)
    np.testing.assert_allclose(quantised.scale, np.ptp(stage, axis=(1, 2)) / 255, rtol=1e-6)
    np.testing.assert_array_equal(quantised.offset, stage.min(axis=(1, 2)))


def test_the_smallest_and_the_largest_activation_have_the_first_and_the_last_code():
    quantised = quantise(random_stage(40, 14, 14))
    assert (quantised.codes.min(axis=(1, 2)) == 0).all()
    assert (quantised.codes.max(axis=(1, 2)) == 255).all()


def test_a_constant_channel_is_exact():
    stage = np.array([0, -3.7, 1e30], np.float32)[:, None, None] * np.ones((3, 4, 5), np.float32)
    quantised = quantise(stage)
    np.testing.assert_array_equal(quantised.values(), stage)
    assert not quantised.scale.any()
    assert not quantised.codes.any()


@pytest.mark.parametrize(
    ("low", "high"),
    [(-3.4e38, 3.4e38), (0, 1e-45), (0, 4e-43), (-1e-40, 1e-40), (1e6, np.nextafter(np.float32(1e6), np.float32(2e6)))],
    ids=["whole range", "one subnormal", "subnormals", "tiny", "one float apart"],
)
def test_extreme_ranges_keep_the_promise(low, high):
    stage = np.linspace(low, high, 101).astype(np.float32).reshape(1, 1, 101)
    assert_within_half_a_step(stage, quantise(stage))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_activations_that_are_not_finite_are_refused(bad):
    stage = random_stage(4, 3, 3)
    stage[2, 1, 1] = bad
    with pytest.raises(PoolFormerError, match="finite"):
        quantise(stage)


def test_the_decoder_gives_back_what_was_encoded():
    _, packed = random_pack()
    decoded = decode_pack(encode_pack(packed))
    assert decoded.variant == packed.variant
    np.testing.assert_array_equal(decoded.picture, packed.picture)
    np.testing.assert_array_equal(decoded.contributions, packed.contributions)
    for ours, theirs in zip(decoded.stages, packed.stages, strict=True):
        np.testing.assert_array_equal(ours.values(), theirs.values())


def test_the_bytes_are_what_the_format_says():
    """Read with nothing but the eight bytes of length, the JSON header and the offsets in it."""
    stages, packed = random_pack()
    content = encode_pack(packed)
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    assert header.pop("__metadata__") == {"format": FORMAT, "variant": "tiny"}
    assert set(header) == {"contributions", "picture"} | {
        f"stage{number}.{part}" for number in (1, 2) for part in ("codes", "offset", "scale")
    }

    def tensor(name, dtype):
        entry = header[name]
        begin, end = (start + offset for offset in entry["data_offsets"])
        assert entry["dtype"] == {"<f4": "F32", "u1": "U8"}[dtype]
        assert begin % np.dtype(dtype).itemsize == 0  # so that a typed array can be laid over it
        return np.frombuffer(content[begin:end], dtype).reshape(entry["shape"])

    assert tensor("contributions", "<f4").shape == (5, 5)
    np.testing.assert_array_equal(tensor("picture", "u1"), packed.picture)
    for number, stage in enumerate(stages, start=1):
        offset, scale = (tensor(f"stage{number}.{part}", "<f4")[:, None, None] for part in ("offset", "scale"))
        decoded = offset + scale * tensor(f"stage{number}.codes", "u1")
        np.testing.assert_allclose(decoded, stage, atol=scale.max() * 0.5001)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), bytes(8), save({"picture": np.zeros(3)})])
def test_other_bytes_are_refused(content):
    with pytest.raises(PoolFormerError, match="no pack"):
        decode_pack(content)


def test_a_pack_of_another_version_says_so():
    _, packed = random_pack()
    later = save(load(encode_pack(packed)), {"format": "poolformer-activations/2", "variant": "tiny"})
    with pytest.raises(PoolFormerError, match="poolformer-activations/2"):
        decode_pack(later)


@pytest.mark.parametrize(("name", "budget_bytes"), [("s12", 600_000), ("m48", 900_000)])
def test_a_pack_is_small(name, budget_bytes):
    geometries = stage_geometries(variant(name).config(), 224, 224)
    shapes = [(stage.channels, stage.height, stage.width) for stage in geometries]
    _, packed = random_pack(shapes, picture=(224, 224, 3), variant=name)
    assert len(encode_pack(packed)) < budget_bytes


def test_a_decoded_pack_is_the_models_own_hidden_states(cat):
    checkpoint = load_checkpoint("tiny")
    pixel_values = checkpoint.processor(decode_image(cat), return_tensors="pt").pixel_values
    with torch.inference_mode():
        hidden_states = checkpoint.model(pixel_values, output_hidden_states=True).hidden_states
    decoded = decode_pack(encode_pack(PoolFormerService().run(cat, "tiny").pack()))
    assert len(decoded.stages) == len(hidden_states) == 4
    for quantised, state in zip(decoded.stages, hidden_states, strict=True):
        step = quantised.scale[:, None, None]
        assert (np.abs(quantised.values() - state[0].numpy()) <= 0.501 * step + 1e-5).all()
