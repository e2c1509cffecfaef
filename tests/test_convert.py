"""The original's and timm's keys become Hugging Face's, checked by networks written down from the paper.

`features` and `original_logits` are the equations of *MetaFormer Is Actually What You Need for Vision*
(arXiv:2111.11418), section 3, on a bare dict of tensors with the keys of one layout. They share nothing with the
library but torch's operators.
"""

import argparse
import os

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from poolformer.errors import UnknownVariantError, WeightsError
from poolformer.nn import PoolFormerConfig
from poolformer.weights import convert
from poolformer.weights.checkpoint import build_model, load_checkpoint
from poolformer.weights.convert import convert_checkpoint, original_to_hugging_face, timm_to_hugging_face
from poolformer.weights.variants import Variant

DEPTHS, WIDTHS, LABELS = (2, 1, 3, 1), (4, 6, 8, 10), 5
GEOMETRY = ((7, 4, 2), (3, 2, 1), (3, 2, 1), (3, 2, 1))  # patch, stride and padding of each embedding, in pixels


class Original:
    """Key names of the original code."""

    norm, head = "norm", "head"

    @staticmethod
    def embedding(stage):
        return "patch_embed.proj" if stage == 0 else f"network.{2 * stage - 1}.proj"

    @staticmethod
    def block(stage, block):
        return f"network.{2 * stage}.{block}"

    scale = "{}.layer_scale_{}"


class Timm:
    """Key names of timm."""

    norm, head = "head.norm", "head.fc"

    @staticmethod
    def embedding(stage):
        return "stem.conv" if stage == 0 else f"stages.{stage}.downsample.conv"

    @staticmethod
    def block(stage, block):
        return f"stages.{stage}.blocks.{block}"

    scale = "{}.layer_scale{}.scale"


def make_weights(names):
    """A whole state dict, each tensor with random numbers of its own."""
    generator = torch.Generator().manual_seed(0)
    weights = {}

    def add(key, *shape, centre=0.0):
        weights[key] = centre + 0.3 * torch.randn(shape, generator=generator)

    for stage, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True)):
        before = 3 if stage == 0 else WIDTHS[stage - 1]
        patch_px = GEOMETRY[stage][0]
        add(f"{names.embedding(stage)}.weight", width, before, patch_px, patch_px)
        add(f"{names.embedding(stage)}.bias", width)
        for block in range(depth):
            prefix = names.block(stage, block)
            for i in (1, 2):
                add(f"{prefix}.norm{i}.weight", width, centre=1.0)
                add(f"{prefix}.norm{i}.bias", width)
                add(names.scale.format(prefix, i), width)
            add(f"{prefix}.mlp.fc1.weight", 4 * width, width, 1, 1)
            add(f"{prefix}.mlp.fc1.bias", 4 * width)
            add(f"{prefix}.mlp.fc2.weight", width, 4 * width, 1, 1)
            add(f"{prefix}.mlp.fc2.bias", width)
    add(f"{names.norm}.weight", WIDTHS[-1], centre=1.0)
    add(f"{names.norm}.bias", WIDTHS[-1])
    add(f"{names.head}.weight", LABELS, WIDTHS[-1])
    add(f"{names.head}.bias", LABELS)
    return weights


def normalise(x, weights, key):
    """Over all channels and positions of a picture, then scaled and shifted by channel. (B, C, H, W)."""
    mean, variance = x.mean((1, 2, 3), keepdim=True), x.var((1, 2, 3), unbiased=False, keepdim=True)
    scale, shift = weights[f"{key}.weight"][:, None, None], weights[f"{key}.bias"][:, None, None]
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def pool(x):
    """The mean over the neighbours that there are, minus the position itself: equation 4."""
    ones = torch.ones_like(x[:, :1])
    kernel = torch.ones(1, 1, 3, 3)
    sums = F.conv2d(x.flatten(0, 1)[:, None], kernel, padding=1).view_as(x)
    return sums / F.conv2d(ones, kernel, padding=1) - x


def features(weights, names, x):
    """The end of each stage, (B, C_i, H_i, W_i)."""
    stages = []
    for stage, depth in enumerate(DEPTHS):
        key, (_, stride, padding) = names.embedding(stage), GEOMETRY[stage]
        x = F.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], stride, padding)
        for block in range(depth):
            prefix = names.block(stage, block)
            s1, s2 = (weights[names.scale.format(prefix, i)][:, None, None] for i in (1, 2))
            x = x + s1 * pool(normalise(x, weights, f"{prefix}.norm1"))
            y = normalise(x, weights, f"{prefix}.norm2")
            y = F.conv2d(y, weights[f"{prefix}.mlp.fc1.weight"], weights[f"{prefix}.mlp.fc1.bias"])
            y = 0.5 * y * (1 + torch.erf(y / 2**0.5))
            x = x + s2 * F.conv2d(y, weights[f"{prefix}.mlp.fc2.weight"], weights[f"{prefix}.mlp.fc2.bias"])
        stages.append(x)
    return stages


def original_logits(weights, names, last):
    """Normalised, then the mean over positions, then the classifier."""
    pooled = normalise(last, weights, names.norm).mean((2, 3))
    return pooled @ weights[f"{names.head}.weight"].T + weights[f"{names.head}.bias"]


@pytest.fixture
def picture():
    return torch.randn(2, 3, 64, 80, generator=torch.Generator().manual_seed(1))


def build(tensors):
    return build_model(PoolFormerConfig(depths=DEPTHS, hidden_sizes=WIDTHS, num_labels=LABELS), tensors)


# The same network


def test_an_original_checkpoint_gives_the_same_stages_and_logits(picture):
    weights = make_weights(Original)
    stages = features(weights, Original, picture)
    output = build(original_to_hugging_face(weights))(picture, output_hidden_states=True)
    for ours, theirs in zip(output.hidden_states, stages, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(output.logits, original_logits(weights, Original, stages[-1]), atol=1e-4, rtol=1e-4)


def test_a_timm_checkpoint_gives_the_same_stages_and_other_logits(picture):
    weights = make_weights(Timm)
    stages = features(weights, Timm, picture)
    output = build(timm_to_hugging_face(weights))(picture, output_hidden_states=True)
    for ours, theirs in zip(output.hidden_states, stages, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(output.logits, original_logits(weights, Timm, stages[-1]), atol=1e-4, rtol=1e-4)

    # timm's head: the mean over positions first, then normalised.
    pooled = normalise(stages[-1].mean((2, 3), keepdim=True), weights, Timm.norm)[:, :, 0, 0]
    theirs = pooled @ weights["head.fc.weight"].T + weights["head.fc.bias"]
    assert (output.logits - theirs).abs().max() > 0.01


@pytest.mark.parametrize("names", [Original, Timm])
def test_every_tensor_arrives_as_it_was(names):
    weights = make_weights(names)
    converted = convert.CONVERTERS[names.__name__.lower()](weights)
    assert len(converted) == len(weights)
    assert {id(tensor) for tensor in converted.values()} == {id(tensor) for tensor in weights.values()}


def test_both_layouts_mean_the_same_keys():
    assert list(original_to_hugging_face(make_weights(Original))) == list(timm_to_hugging_face(make_weights(Timm)))


# What is none of it


@pytest.mark.parametrize(
    "key",
    [
        "norm0.weight",  # a pyramid of features, as for detection
        "network.1.0.norm1.weight",
        "network.2.proj.weight",
        "network.0.0.norm3.weight",
        "network.0.0.mlp.fc1.weight.more",
        "module.norm.weight",
        "patch_embed.norm.weight",
        "classifier.weight",
        "",
    ],
)
def test_a_key_that_the_original_does_not_have_is_named(key):
    with pytest.raises(WeightsError, match=r"1 of 2 keys .* in the original layout \(") as caught:
        original_to_hugging_face({"norm.weight": torch.ones(1), key: torch.ones(1)})
    assert f"({key});" in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "stem.norm.weight",
        "stages.0.downsample.conv.weight",
        "stages.1.downsample.norm.weight",
        "stages.0.blocks.0.res_scale1.scale",  # PoolFormerV2
        "stages.0.blocks.0.mlp.act.scale",
        "head.fc.fc1.weight",
        "norm.weight",
    ],
)
def test_a_key_that_timm_does_not_have_is_named(key):
    with pytest.raises(WeightsError, match="in the timm layout") as caught:
        timm_to_hugging_face({key: torch.ones(1)})
    assert f"({key});" in str(caught.value)


def test_the_wrong_layout_says_which_there_are():
    with pytest.raises(WeightsError, match=r"\([^,]+, [^,]+, [^,]+, \.\.\.\); .* one of original, timm"):
        timm_to_hugging_face(make_weights(Original))


# Files


@pytest.fixture(autouse=True)
def _small_variant(monkeypatch):
    """A row of the table for the small network."""
    row = Variant("small", DEPTHS, WIDTHS, 0, 0, 0, 0.95)
    monkeypatch.setitem(convert.VARIANTS, "small", row)


def save_wrapped(weights, path):
    """A training checkpoint, with the settings that timm's training script keeps in it."""
    settings = argparse.Namespace(model="poolformer", lr=1e-3, opt_betas=None)
    torch.save({"epoch": 3, "arch": "poolformer", "state_dict": weights, "args": settings, "metric": 77.2}, path)


SAVERS = {
    "weights.pth.tar": torch.save,
    "wrapped.pth.tar": save_wrapped,
    "weights.bin": torch.save,
    "weights.safetensors": save_file,
}


@pytest.mark.parametrize("name", SAVERS)
def test_each_kind_of_file_becomes_a_checkpoint_that_opens(name, tmp_path, picture):
    weights = make_weights(Original)
    SAVERS[name](weights, tmp_path / name)
    folder = convert_checkpoint(tmp_path / name, "small", tmp_path / "out", labels=[*"abcde"])
    opened = load_checkpoint(folder)
    assert opened.labels == tuple("abcde")
    assert opened.processor.crop_pct == 0.95
    expected = original_logits(weights, Original, features(weights, Original, picture)[-1])
    torch.testing.assert_close(opened.model(picture).logits, expected, atol=1e-4, rtol=1e-4)


def test_timm_files_are_converted_when_told_so(tmp_path):
    save_file(make_weights(Timm), tmp_path / "model.safetensors")
    folder = convert_checkpoint(tmp_path / "model.safetensors", "small", tmp_path / "out", layout="timm")
    assert load_checkpoint(folder).labels == tuple(f"LABEL_{i}" for i in range(LABELS))
    assert sorted(load_file(folder / "model.safetensors")) == sorted(timm_to_hugging_face(make_weights(Timm)))


class Payload:
    """Unpickles by making a folder, if it is let."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_code_in_a_training_checkpoint_is_never_run(tmp_path):
    bag = argparse.Namespace(hook=Payload(tmp_path / "executed"))
    torch.save({"state_dict": make_weights(Original), "args": bag}, tmp_path / "bad.pth.tar")
    with pytest.raises(WeightsError, match="nothing in it was run"):
        convert_checkpoint(tmp_path / "bad.pth.tar", "small", tmp_path / "out")
    assert not (tmp_path / "executed").exists()


def test_settings_are_rebuilt_for_conversion_only(tmp_path):
    save_wrapped(make_weights(Original), tmp_path / "pytorch_model.bin")
    PoolFormerConfig(depths=DEPTHS, hidden_sizes=WIDTHS).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="more than plain tensors"):
        load_checkpoint(tmp_path)


def test_a_file_of_another_variant_is_refused_before_anything_is_written(tmp_path):
    torch.save(make_weights(Original), tmp_path / "weights.pth.tar")
    with pytest.raises(WeightsError, match="do not fit"):
        convert_checkpoint(tmp_path / "weights.pth.tar", "s12", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lacking", ["head.weight", "network.3.proj.bias"])
def test_a_file_that_lacks_a_tensor_is_refused(lacking, tmp_path):
    weights = make_weights(Original)
    del weights[lacking]
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="The weights do not fit their config"):
        convert_checkpoint(tmp_path / "weights.pth", "small", tmp_path / "out")


def test_labels_have_to_be_as_many_as_classes(tmp_path):
    torch.save(make_weights(Original), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="has 5 classes, and 2 labels were given"):
        convert_checkpoint(tmp_path / "weights.pth", "small", tmp_path / "out", labels=["cat", "dog"])


def test_a_variant_that_is_not_in_the_table_is_refused(tmp_path):
    with pytest.raises(UnknownVariantError, match="no published variant 's13'"):
        convert_checkpoint(tmp_path / "none.pth", "s13", tmp_path / "out")


@pytest.mark.parametrize("content", [None, b"<html>"])
def test_a_file_that_is_not_there_or_no_checkpoint_is_a_sentence(content, tmp_path):
    if content is not None:
        (tmp_path / "weights.pth.tar").write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.pth\.tar"):
        convert_checkpoint(tmp_path / "weights.pth.tar", "small", tmp_path / "out")
