"""The network against `transformers`, which is the definition of what these classes compute."""

import copy
import pickle

import pytest
import torch
import transformers
from networks import randomise

from poolformer import PoolFormerConfig, PoolFormerForImageClassification, PoolFormerModel
from poolformer.errors import ConfigError, ImageError
from poolformer.weights.variants import VARIANTS

TOLERANCE = 1e-4
SMALL = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32]}


def build_small(**fields):
    return PoolFormerForImageClassification(PoolFormerConfig(**{**SMALL, **fields}))


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
    ours = PoolFormerForImageClassification.from_pretrained(tmp_path)
    generator = torch.Generator().manual_seed(1)
    for B, height, width in ((1, 224, 224), (2, 193, 257)):
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
    model = build_small().eval()
    x = torch.zeros(1, 3, 64, 64)
    output = model(x, output_hidden_states=True)
    logits, hidden_states = output
    assert output.logits is output["logits"] is output[0] is logits is output.get("logits")
    assert output.hidden_states is output["hidden_states"] is output[1] is hidden_states
    assert output.keys() == ["logits", "hidden_states"]
    assert dict(output) == dict(output.items())
    assert "logits" in output
    assert "loss" not in output
    assert output.loss is None
    assert output.get("loss", 7) == 7
    assert output[:1] == output.to_tuple()[:1]


def test_a_forward_without_pictures_says_so():
    for model in (build_small(), build_small().poolformer):
        with pytest.raises(ImageError, match="pixel_values is None; give"):
            model()


def test_the_config_decides_what_a_call_leaves_open():
    model = build_small(output_hidden_states=True, return_dict=False).eval()
    logits, hidden_states = model(torch.zeros(1, 3, 64, 64))
    assert (logits.shape, len(hidden_states)) == ((1, 2), 4)
    assert model(torch.zeros(1, 3, 64, 64), output_hidden_states=False, return_dict=True).keys() == ["logits"]


def test_input_embeddings_can_be_exchanged():
    model = build_small()
    assert model.get_input_embeddings() is model.poolformer.encoder.patch_embeddings[0]
    grey = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 4, 4))
    model.set_input_embeddings(grey)
    assert model.poolformer.get_input_embeddings() is grey
    assert model(torch.zeros(1, 1, 64, 64)).logits.shape == (1, 2)


def test_a_config_changed_into_nonsense_builds_no_network():
    config = PoolFormerConfig(**SMALL)
    config.depths.append(2)
    for network in (PoolFormerModel, PoolFormerForImageClassification):
        with pytest.raises(ConfigError, match="depths is"):
            network(config)


# --- Loss ---


def test_the_first_labels_decide_the_problem_and_the_config_remembers():
    for labels, problem in (
        (torch.tensor([0, 1]), "single_label_classification"),
        (torch.tensor([[0.0, 1.0], [1.0, 1.0]]), "multi_label_classification"),
    ):
        model = build_small()
        assert model(torch.zeros(2, 3, 64, 64), labels).loss.shape == ()
        assert model.config.problem_type == problem


def test_a_loss_without_a_classifier_is_refused():
    with pytest.raises(ConfigError, match="num_labels is 0"):
        build_small(num_labels=0)(torch.zeros(1, 3, 64, 64), labels=torch.tensor([0]))


# --- How training starts ---


def test_weights_start_as_in_transformers_where_the_original_agrees():
    fields = {"depths": [1, 1, 1, 1], "hidden_sizes": [32, 32, 32, 64], "num_labels": 50}
    fields |= {"layer_scale_init_value": 0.01, "initializer_range": 0.05}
    ours = PoolFormerForImageClassification(PoolFormerConfig(**fields)).state_dict()
    theirs = transformers.PoolFormerForImageClassification(transformers.PoolFormerConfig(**fields)).state_dict()
    assert ours.keys() == theirs.keys()
    for key, mine in ours.items():
        if "patch_embeddings" in key:
            continue
        if mine.ndim == 1:  # norms, biases and layer scales
            assert torch.equal(mine, theirs[key]), key
        else:
            for weight in (mine, theirs[key]):
                assert weight.std() == pytest.approx(0.05, rel=0.1), key
                assert weight.abs().max() > 2.5 * 0.05, f"{key} is cut off"


def test_stochastic_depth_rises_as_in_transformers():
    fields = {"depths": [2, 0, 3, 1], "hidden_sizes": [8] * 4, "drop_path_rate": 0.3}
    ours = PoolFormerModel(PoolFormerConfig(**fields))
    theirs = transformers.PoolFormerModel(transformers.PoolFormerConfig(**fields))
    rates = [
        [getattr(block.drop_path, name, 0.0) for blocks in model.encoder.block for block in blocks]
        for model, name in ((ours, "rate"), (theirs, "drop_prob"))
    ]
    assert rates[0] == rates[1]
    assert rates[0][-1] == pytest.approx(0.3)


def test_a_dropped_path_leaves_the_sample_as_it_was():
    config = PoolFormerConfig(depths=[1] * 4, hidden_sizes=[8] * 4, drop_path_rate=0.9, layer_scale_init_value=1.0)
    block = randomise(PoolFormerModel(config)).encoder.block[3][0].train()
    assert block.drop_path.rate == pytest.approx(0.9)
    torch.manual_seed(0)
    x = torch.randn(64, 8, 4, 4)
    unchanged = (block(x) == x).flatten(1).all(1)
    assert 0.6 < unchanged.float().mean() < 0.98  # both branches are dropped with probability 0.81


# --- What torch does with a network ---


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_near_float32(dtype):
    model = randomise(build_small())
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        reference = model(x).logits
        half = model.to(dtype)
        assert half.dtype == dtype
        logits = half(x.to(dtype)).logits
    assert logits.dtype == dtype
    assert (logits.float() - reference).abs().max() < (0.1 if dtype == torch.bfloat16 else 0.01)


def test_copies_and_pickles_are_equal_and_their_own():
    model = randomise(build_small())
    x = torch.randn(1, 3, 64, 64)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(other) is type(model)
        assert other.config == model.config
        assert other.config is not model.config
        assert torch.equal(other(x).logits, model(x).logits)
        other.classifier.bias.data += 1
        assert not torch.equal(other(x).logits, model(x).logits)


def test_device_dtype_and_number_of_parameters():
    model = build_small()
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)
    assert model.num_parameters() == sum(tensor.numel() for tensor in model.state_dict().values())
    model.poolformer.requires_grad_(False)
    assert model.num_parameters(only_trainable=True) == 2 * 32 + 32 * 2 + 2  # norm and classifier


def test_a_compiled_network_computes_the_same():
    model = randomise(build_small())
    x = torch.randn(2, 3, 64, 64)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        output = compiled(x, labels=torch.tensor([0, 1]), output_hidden_states=True)
        reference = model(x, labels=torch.tensor([0, 1]), output_hidden_states=True)
    for mine, expected in zip(
        (output.loss, output[1], *output[2]), (reference[0], reference[1], *reference[2]), strict=True
    ):
        assert (mine - expected).abs().max() < 1e-5


def test_an_exported_network_takes_batches_of_any_size():
    model = randomise(build_small())
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(model, (torch.zeros(2, 3, 64, 64),), dynamic_shapes={"pixel_values": {0: batch}})
    for B in (1, 5):
        x = torch.randn(B, 3, 64, 64)
        exported = program.module()(x)
        assert type(exported) is type(model(x))
        assert (exported.logits - model(x).logits).abs().max() < 1e-5
