"""The folded network against the network itself, and packed convolutions against torch's own."""

import pytest
import torch

from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification, prepacked
from poolformer.nn.fused import FusedPoolFormer
from poolformer.nn.mixers import MIXERS
from poolformer.nn.prepacked import PackedConvolution, packing_works
from poolformer.weights.variants import VARIANTS

SMALL = {"depths": [1, 2, 1, 1], "hidden_sizes": [8, 12, 16, 24], "num_labels": 5}


def build_model(**fields):
    """A network all of whose parameters matter: weights of a trained size, layer scales and shifts far from 0 and 1."""
    torch.manual_seed(0)
    model = PoolFormerForImageClassification(PoolFormerConfig(**{**SMALL, **fields})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter) / max(1, parameter[0].numel()) ** 0.5)
    return model


def assert_same(fused, model, pixel_values, atol=1e-4):
    with torch.inference_mode():
        found, expected = fused(pixel_values), model(pixel_values, output_hidden_states=True)
    torch.testing.assert_close(found.logits.float(), expected.logits, rtol=1e-4, atol=atol)
    assert len(found.hidden_states) == len(expected.hidden_states) == 4
    for ours, theirs in zip(found.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=1e-4, atol=atol)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (3, 3, 33, 47), (2, 3, 31, 90)])
@pytest.mark.parametrize("packs", [True, False])
def test_folding_changes_no_number(monkeypatch, packs, shape):
    if not packs:
        monkeypatch.setattr(prepacked, "packing_works", lambda _dtype: False)
    model = build_model()
    assert_same(FusedPoolFormer(model), model, torch.randn(shape))


@pytest.mark.parametrize(
    "fields",
    [
        {"use_layer_scale": False},
        {"pool_size": 5},
        {"hidden_act": "relu"},
        {"hidden_act": "gelu_new"},
        {"hidden_act": "prelu"},
        {"mlp_ratio": 2.5, "num_channels": 1},
        {"num_labels": 0},
        *({"token_mixer": name, "image_size": 64} for name in MIXERS),
    ],
)
def test_every_kind_of_network_can_be_folded(fields):
    model = build_model(**fields)
    assert_same(FusedPoolFormer(model), model, torch.randn(2, fields.get("num_channels", 3), 64, 64))


@pytest.mark.parametrize("name", VARIANTS)
def test_published_variants_fold_exactly(name):
    model = PoolFormerForImageClassification(VARIANTS[name].config()).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "layer_scale" in key or "norm" in key:  # of random weights these are nearly 0, 1 and 0
                parameter.add_(0.2 * torch.rand_like(parameter))
    assert_same(FusedPoolFormer(model), model, torch.randn(1, 3, 97, 65))


@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_batches_of_any_size_give_the_same_numbers(pictures):
    # Of all layers of the five variants this one is packed otherwise for several pictures than for one, on two cores.
    weight, bias = torch.randn(1280, 320, 1, 1), torch.randn(1280)
    x = torch.randn(pictures, 320, 14, 14).contiguous(memory_format=torch.channels_last)
    found = PackedConvolution(weight, bias, height=14, width=14)(x)
    torch.testing.assert_close(found, torch.nn.functional.conv2d(x, weight, bias), rtol=1e-4, atol=1e-3)


def test_where_several_pictures_want_another_packing_there_are_both(monkeypatch):
    monkeypatch.setattr(prepacked, "wants_another", lambda *_: True)
    weight, bias = torch.randn(6, 4, 1, 1), torch.randn(6)
    convolution = PackedConvolution(weight, bias, packed=packing_works(torch.float32))
    assert (convolution.several is None) == (not convolution.packed)
    for pictures in (1, 2):
        x = torch.randn(pictures, 4, 14, 14).contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(convolution(x), torch.nn.functional.conv2d(x, weight, bias))
        torch.testing.assert_close(
            convolution.add_to(torch.zeros_like(convolution(x)), x), torch.nn.functional.conv2d(x, weight, bias)
        )


def test_bfloat16_gives_nearly_the_same_logits():
    model = build_model()
    fused, x = FusedPoolFormer(model, torch.bfloat16), torch.randn(2, 3, 64, 64)
    assert {state.dtype for state in fused(x).hidden_states} == {torch.bfloat16}
    with torch.inference_mode():
        expected = model(x).logits
    assert (fused(x).logits.float() - expected).abs().max() < 0.05 * expected.abs().max()


def test_the_model_stays_as_it_was_and_is_not_shared():
    model, x = build_model(), torch.randn(1, 3, 64, 64)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fused = FusedPoolFormer(model)
    expected = fused(x).logits.clone()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(fused(x).logits, expected)


def test_hidden_states_outlive_the_next_call():
    fused, x = FusedPoolFormer(build_model()), torch.randn(1, 3, 64, 64)
    states = fused(x).hidden_states
    copies = [state.clone() for state in states]
    fused(torch.randn(1, 3, 64, 64))
    assert all(torch.equal(state, copy) for state, copy in zip(states, copies, strict=True))


def test_gradients_are_refused_rather_than_lost():
    fused = FusedPoolFormer(build_model())
    with pytest.raises(ValueError, match="has no gradients; call the model itself"):
        fused(torch.randn(1, 3, 64, 64, requires_grad=True))
    with torch.no_grad():
        assert fused(torch.randn(1, 3, 64, 64, requires_grad=True)).logits.shape == (1, 5)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("gelu", [True, False])
def test_a_packed_convolution_is_a_convolution(kernel, gelu):
    torch.manual_seed(0)
    weight, bias, x = torch.randn(6, 4, kernel, kernel), torch.randn(6), torch.randn(2, 4, 9, 7)
    x = x.contiguous(memory_format=torch.channels_last)
    expected = torch.nn.functional.conv2d(x, weight, bias, stride=kernel, padding=kernel // 2)
    expected = torch.nn.functional.gelu(expected) if gelu else expected
    for packed in (packing_works(torch.float32), False):
        convolution = PackedConvolution(weight, bias, kernel, kernel // 2, gelu=gelu, packed=packed)
        torch.testing.assert_close(convolution(x), expected)


def test_missing_operators_fall_back_and_say_so(monkeypatch, caplog):
    def refuse(*_args):
        raise RuntimeError("no such operator")

    packing_works.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_convolution_weight", refuse)
    try:
        assert not packing_works(torch.float32)
        assert "Packed convolutions do not work here" in caplog.text
        model = build_model()
        assert_same(FusedPoolFormer(model), model, torch.randn(1, 3, 64, 64))
    finally:
        packing_works.cache_clear()


def test_wrong_numbers_are_noticed(monkeypatch):
    packing_works.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_convolution_weight", lambda weight, *_rest: 2 * weight)
    try:
        assert not packing_works(torch.float32)
    finally:
        packing_works.cache_clear()
