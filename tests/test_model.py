"""The network against `transformers`, which is the definition of what these classes compute."""

import pytest
import torch
import transformers

from poolformer import PoolFormerConfig, PoolFormerForImageClassification, PoolFormerModel
from poolformer.weights.variants import VARIANTS

TOLERANCE = 1e-4


def randomise(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Weights under which every parameter matters: norms, biases and layer scales too; signals keep their size."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm.weight" in name:
            parameter.data = 1 + 0.2 * noise
        elif "layer_scale" in name:
            parameter.data = 0.3 + 0.1 * noise
        elif parameter.ndim > 1:
            parameter.data = noise / parameter[0].numel() ** 0.5
        else:
            parameter.data = 0.1 * noise
    return model.eval()


def build_pair(**fields):
    theirs = transformers.PoolFormerForImageClassification(transformers.PoolFormerConfig(**fields))
    randomise(theirs)
    ours = PoolFormerForImageClassification(PoolFormerConfig.from_dict(theirs.config.to_dict())).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def assert_same_outputs(ours, theirs, pixel_values):
    with torch.inference_mode():
        a = ours(pixel_values, output_hidden_states=True)
        b = theirs(pixel_values, output_hidden_states=True)
    assert len(a.hidden_states) == len(b.hidden_states)
    for mine, reference in zip((a.logits, *a.hidden_states), (b.logits, *b.hidden_states), strict=True):
        assert mine.shape == reference.shape
        assert reference.std() > 0.01, "the oracle's own output is constant, so it would prove nothing"
        assert (mine - reference).abs().max() < TOLERANCE


@pytest.mark.parametrize("name", VARIANTS)
def test_a_checkpoint_saved_by_transformers_gives_the_same_logits_and_stages(name, tmp_path):
    row = VARIANTS[name]
    fields = {"depths": list(row.depths), "hidden_sizes": list(row.hidden_sizes), "num_labels": 1000}
    theirs = randomise(transformers.PoolFormerForImageClassification(transformers.PoolFormerConfig(**fields)))
    theirs.save_pretrained(tmp_path)
    from poolformer.weights.checkpoint import load_checkpoint

    ours = load_checkpoint(tmp_path).model
    generator = torch.Generator().manual_seed(1)
    for B, height, width in ((1, 224, 224), (3, 224, 224), (1, 193, 257), (3, 193, 257)):
        assert_same_outputs(ours, theirs, torch.randn(B, 3, height, width, generator=generator))


@pytest.mark.parametrize(
    "fields",
    [
        {"use_layer_scale": False},
        {"pool_size": 5},
        {"hidden_act": "relu"},
        {"mlp_ratio": 2.5},
        {"num_channels": 1},
        {"drop_path_rate": 0.5},
        {"num_encoder_blocks": 2, "depths": [1, 2], "hidden_sizes": [8, 12], "strides": [2, 3], "patch_sizes": [5, 4]},
    ],
    ids=str,
)
def test_every_config_field_means_what_it_means_in_transformers(fields):
    small = {"depths": [1, 1, 2, 1], "hidden_sizes": [8, 12, 16, 24], "num_labels": 7}
    fields = small | fields
    if fields.get("num_encoder_blocks") == 2:
        fields["padding"] = [2, 1]
    ours, theirs = build_pair(**fields)
    assert_same_outputs(ours, theirs, torch.randn(2, fields.get("num_channels", 3), 61, 47))


def test_transformers_opens_our_weights():
    config = PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32], num_labels=5)
    ours = randomise(PoolFormerForImageClassification(config))
    theirs = transformers.PoolFormerForImageClassification(transformers.PoolFormerConfig(**config.to_dict())).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert_same_outputs(ours, theirs, torch.randn(1, 3, 64, 64))


def test_the_headless_model_returns_the_last_stage():
    config = PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32])
    ours = randomise(PoolFormerModel(config))
    theirs = transformers.PoolFormerModel(transformers.PoolFormerConfig(**config.to_dict())).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert (ours(x).last_hidden_state - theirs(x).last_hidden_state).abs().max() < TOLERANCE
        assert ours(x).hidden_states is None


def test_a_batch_equals_its_pictures_one_by_one():
    model = randomise(PoolFormerForImageClassification(PoolFormerConfig(depths=[1] * 4, hidden_sizes=[8, 16, 24, 32])))
    x = torch.randn(4, 3, 50, 70)
    with torch.inference_mode():
        singles = torch.cat([model(picture[None]).logits for picture in x])
        assert (model(x).logits - singles).abs().max() < 1e-5


def test_outputs_read_by_attribute_key_index_and_unpacking():
    model = PoolFormerForImageClassification(PoolFormerConfig(depths=[1] * 4, hidden_sizes=[8, 16, 24, 32])).eval()
    x = torch.zeros(1, 3, 64, 64)
    output = model(x, output_hidden_states=True)
    logits, hidden_states = output
    assert output.logits is output["logits"] is output[0] is logits
    assert output.hidden_states is output["hidden_states"] is output[1] is hidden_states
    assert output.keys() == ["logits", "hidden_states"]
    assert output.loss is None
    assert len(model(x, return_dict=False)) == 1
    assert len(model(x, output_hidden_states=True, return_dict=False)) == 2


def test_a_dropped_path_leaves_the_sample_as_it_was():
    config = PoolFormerConfig(depths=[1] * 4, hidden_sizes=[8] * 4, drop_path_rate=0.9, layer_scale_init_value=1.0)
    block = PoolFormerModel(config).encoder.block[3][0].train()
    assert block.drop_path.rate == pytest.approx(0.9)
    torch.manual_seed(0)
    x = torch.randn(64, 8, 4, 4)
    unchanged = (block(x) == x).flatten(1).all(1)
    assert 0.6 < unchanged.float().mean() < 0.98  # both branches are dropped with probability 0.81
