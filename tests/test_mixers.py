"""The token mixers: answers known by hand, gradients, any height and width, and what a block makes of each."""

import math

import numpy as np
import pytest
import torch
from torch.func import functional_call

from poolformer.errors import ImageError
from poolformer.nn import PoolFormerConfig, PoolFormerModel
from poolformer.nn.mixer_facts import MIXER_FACTS
from poolformer.nn.mixers import (
    MIXERS,
    DepthwiseConvolution,
    PoolFormerPooling,
    RandomMixing,
    SelfAttention,
)

SHAPES = [(1, 1), (1, 5), (7, 3), (4, 4)]


def build_mixer(name, channels, height, width, pool_size=3):
    """A mixer in float64, with weights of a size that moves its output."""
    torch.manual_seed(0)
    if name == "random":
        return RandomMixing(height, width, image_size_px=8).double()
    config = PoolFormerConfig(token_mixer=name, hidden_sizes=[channels] * 4, pool_size=pool_size, initializer_range=0.5)
    return MIXERS[name](config, 0).double()


def ramp(height, width):
    """(1, 1, height, width): each place has the number of its column."""
    return torch.arange(width, dtype=torch.float64).expand(1, 1, height, width)


# All of them


def test_the_registry_has_five_and_each_has_its_facts():
    assert list(MIXERS) == list(MIXER_FACTS) == ["pooling", "identity", "random", "convolution", "attention"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MIXERS)
def test_a_mixer_keeps_any_height_and_width(name, shape):
    x = torch.randn(2, 5, *shape, dtype=torch.float64)
    mixed = build_mixer(name, 5, *shape)(x)
    assert (mixed.shape, mixed.dtype) == (x.shape, x.dtype)
    assert mixed.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 2)])
@pytest.mark.parametrize("name", MIXERS)
def test_gradients_of_input_and_weights_are_those_of_finite_differences(name, shape):
    mixer = build_mixer(name, 2, *shape)
    weights = dict(mixer.named_parameters())

    def mix(x, *values):
        return functional_call(mixer, dict(zip(weights, values, strict=True)), (x,))

    x = torch.randn(2, 2, *shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mix, (x, *weights.values()))


@pytest.mark.parametrize("name", MIXERS)
def test_a_batch_equals_its_maps_one_by_one(name):
    mixer, x = build_mixer(name, 40, 3, 4), torch.randn(3, 40, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(mixer(x), torch.cat([mixer(each[None]) for each in x]))


# Pooling


def test_pooling_leaves_nothing_of_a_ramp_but_its_ends():
    expected = torch.tensor([0.5, 0, 0, 0, -0.5], dtype=torch.float64)
    mixed = PoolFormerPooling(3)(ramp(4, 5))
    torch.testing.assert_close(mixed, expected.expand(1, 1, 4, 5))


def test_pooling_counts_no_place_outside_the_map():
    x = torch.tensor([[1.0, 2, 4], [8, 16, 32], [64, 128, 256]])[None, None]
    mixed = PoolFormerPooling(3)(x)[0, 0]
    assert mixed[0, 0] == (1 + 2 + 8 + 16) / 4 - 1
    assert mixed[0, 1] == (1 + 2 + 4 + 8 + 16 + 32) / 6 - 2
    assert mixed[1, 1] == pytest.approx(511 / 9 - 16)
    assert mixed[2, 2] == (16 + 32 + 128 + 256) / 4 - 256


@pytest.mark.parametrize("pool_size", [1, 3, 5, 7])
def test_pooling_makes_nothing_of_a_constant(pool_size):
    assert PoolFormerPooling(pool_size)(torch.full((1, 2, 4, 3), 7.0)).abs().max() < 1e-6


# Identity


def test_the_identity_s_branch_is_the_norm_and_no_dead_one():
    config = PoolFormerConfig(token_mixer="identity", depths=[1, 0, 0, 0], hidden_sizes=[4] * 4)
    block = PoolFormerModel(config).encoder.block[0][0].double()
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    scale = torch.tensor([0.1, -2.0, 3.0, 0.5], dtype=torch.float64)
    block.layer_scale_1.data, block.layer_scale_2.data = scale, torch.zeros_like(scale)
    flat = x.numpy().reshape(2, -1)
    mean, variance = flat.mean(1), flat.var(1)
    norm = (x.numpy() - mean[:, None, None, None]) / np.sqrt(variance + 1e-5)[:, None, None, None]
    expected = x.numpy() + scale.numpy()[:, None, None] * norm
    np.testing.assert_allclose(block(x).detach().numpy(), expected, atol=1e-12)


# Random


def test_random_mixing_is_a_mean_of_all_places_for_each():
    mixer, x = build_mixer("random", 3, 2, 4), torch.randn(2, 3, 2, 4, dtype=torch.float64)
    matrix = mixer.matrix.numpy()
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-6)
    assert 1 < (matrix.max(1) / matrix.min(1)).max() < math.e
    expected = np.einsum("mn,bcn->bcm", matrix, x.numpy().reshape(2, 3, 8)).reshape(2, 3, 2, 4)
    np.testing.assert_allclose(mixer(x).numpy(), expected)


def test_random_matrices_are_drawn_for_each_block_stored_and_not_trained():
    config = PoolFormerConfig(token_mixer="random", image_size=32, depths=[2, 1, 1, 1], hidden_sizes=[4] * 4)
    torch.manual_seed(3)
    model = PoolFormerModel(config)
    matrices = {key: value for key, value in model.state_dict().items() if key.endswith("token_mixer.matrix")}
    assert [tuple(matrix.shape) for matrix in matrices.values()] == [(64, 64), (64, 64), (16, 16), (4, 4), (1, 1)]
    first, second = (matrices[f"encoder.block.0.{i}.token_mixer.matrix"] for i in (0, 1))
    assert not torch.equal(first, second)
    assert not any("matrix" in name for name, _ in model.named_parameters())
    torch.manual_seed(3)
    again = PoolFormerModel(config).state_dict()
    assert all(torch.equal(again[key], matrix) for key, matrix in matrices.items())


def test_random_mixing_refuses_another_size_and_names_the_one_that_works():
    model = PoolFormerModel(PoolFormerConfig(token_mixer="random", image_size=64, hidden_sizes=[4] * 4))
    assert model(torch.zeros(1, 3, 64, 64)).last_hidden_state.shape == (1, 4, 2, 2)
    with pytest.raises(ImageError, match=r"16 x 16 cells here; this one has 24 x 16\. Resize it to 64 x 64 pixels"):
        model(torch.zeros(1, 3, 64, 96))


# Convolution


def test_a_convolution_reads_the_places_that_its_kernel_says_and_zeros_outside():
    mixer = DepthwiseConvolution(2, 3, initializer_range=0.02)
    with torch.no_grad():
        mixer.weight.zero_()
        mixer.weight[0, 0, 1, 2] = 2  # twice the place to the right
        mixer.weight[1] = 1  # the sum of all nine
    x = torch.tensor([[1.0, 2, 4], [8, 16, 32]]).expand(1, 2, 2, 3)
    right, total = mixer(x)[0].tolist()
    assert right == [[4, 8, 0], [32, 64, 0]]
    assert total == [[27, 63, 54], [27, 63, 54]]
    assert [name for name, _ in mixer.named_parameters()] == ["weight"]


def test_a_convolution_has_the_window_of_pooling():
    for pool_size in (1, 3, 7):
        assert build_mixer("convolution", 2, 4, 4, pool_size).weight.shape == (2, 1, pool_size, pool_size)


# Attention


@pytest.mark.parametrize("channels", [3, 64])
def test_attention_on_one_token_projects_its_value(channels):
    mixer, x = build_mixer("attention", channels, 1, 1), torch.randn(1, channels, 1, 1, dtype=torch.float64)
    _, _, value = mixer.qkv.weight.chunk(3)
    torch.testing.assert_close(mixer(x).flatten(), mixer.proj.weight @ (value @ x.flatten()))


def test_attention_to_equal_tokens_gives_their_value_everywhere():
    mixer = build_mixer("attention", 8, 3, 4)
    x = torch.randn(1, 8, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(mixer(x.expand(1, 8, 3, 4)), mixer(x).expand(1, 8, 3, 4))


@pytest.mark.parametrize(("channels", "heads"), [(20, 1), (64, 2), (100, 3)])
def test_attention_is_that_of_numpy(channels, heads):
    mixer = SelfAttention(channels, initializer_range=0.2).double()
    x = torch.randn(2, channels, 3, 2, dtype=torch.float64)
    tokens = x.numpy().reshape(2, channels, 6)
    qkv = mixer.qkv.weight.detach().numpy().reshape(3, heads, 32, channels)
    q, k, v = np.einsum("xhdc,bcn->xbhnd", qkv, tokens)
    weights = np.exp(q @ k.transpose(0, 1, 3, 2) / math.sqrt(32))
    weights /= weights.sum(-1, keepdims=True)
    attended = (weights @ v).transpose(0, 2, 1, 3).reshape(2, 6, heads * 32)
    expected = (attended @ mixer.proj.weight.detach().numpy().T).transpose(0, 2, 1).reshape(2, channels, 3, 2)
    np.testing.assert_allclose(mixer(x).detach().numpy(), expected, atol=1e-10)


# In a network


@pytest.mark.parametrize("name", MIXERS)
def test_weights_of_mixers_start_as_the_config_says(name):
    config = PoolFormerConfig(
        token_mixer=name, image_size=32, depths=[1, 0, 0, 0], hidden_sizes=[64] * 4, pool_size=7, initializer_range=0.1
    )
    block = PoolFormerModel(config).encoder.block[0][0]
    assert block.pooling is block.token_mixer  # its name in `transformers`
    for parameter in block.token_mixer.parameters():
        assert float(parameter.detach().std()) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("name", ["random", "attention"])  # pooling: test_model.py
def test_a_compiled_network_computes_the_same(name):
    config = PoolFormerConfig(token_mixer=name, image_size=32, depths=[1, 0, 0, 1], hidden_sizes=[8] * 4)
    model, x = PoolFormerModel(config).eval(), torch.randn(2, 3, 32, 32)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x).last_hidden_state, model(x).last_hidden_state)
