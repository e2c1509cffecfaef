"""Every difference from `transformers` that code written for it can meet, both sides of each.

The README's page "Coming from transformers" lists them.
"""

import json
import logging

import pytest
import torch
import transformers
from networks import randomise

import poolformer
from poolformer.errors import ConfigError, PoolFormerError, WeightsError

SMALL = {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 6, 8, 10], "num_labels": 5}


def build_pair(**fields):
    fields = {**SMALL, **fields}
    return [
        library.PoolFormerForImageClassification(library.PoolFormerConfig(**fields))
        for library in (poolformer, transformers)
    ]


@pytest.fixture
def folder(tmp_path):
    """A classifier's checkpoint."""
    build_pair()[1].save_pretrained(tmp_path / "small")
    return tmp_path / "small"


# Config


def test_unknown_keywords_are_refused_and_not_kept_silently():
    assert transformers.PoolFormerConfig(hiden_sizes=[1]).hidden_sizes != [1]
    with pytest.raises(ConfigError, match=r"no field hiden_sizes; did you mean hidden_sizes\?"):
        poolformer.PoolFormerConfig(hiden_sizes=[1])


def test_unknown_attributes_are_refused_and_go_into_extra():
    theirs, ours = transformers.PoolFormerConfig(), poolformer.PoolFormerConfig()
    theirs.note = 1
    with pytest.raises(ConfigError, match="no field note"):
        ours.note = 1
    ours.extra["note"] = 1
    assert ours.note == theirs.note == ours.to_dict()["note"] == theirs.to_dict()["note"]


def test_lists_longer_than_the_number_of_stages_are_refused():
    assert transformers.PoolFormerConfig(num_encoder_blocks=3).depths == (2, 2, 6, 2)
    with pytest.raises(ConfigError, match=r"depths is \[2, 2, 6, 2\]; it must be 3 whole numbers"):
        poolformer.PoolFormerConfig(num_encoder_blocks=3)


@pytest.mark.parametrize("fields", [{"pool_size": 2}, {"hidden_act": "swishy"}, {"strides": [4, 0, 2, 2]}], ids=str)
def test_what_cannot_be_built_is_refused_with_the_config_already(fields):
    config = transformers.PoolFormerConfig(**SMALL, **fields)
    with pytest.raises((RuntimeError, KeyError, ZeroDivisionError)):
        transformers.PoolFormerModel(config)(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ConfigError):
        poolformer.PoolFormerConfig(**SMALL, **fields)


def test_the_config_of_another_kind_of_model_is_refused(tmp_path):
    transformers.ViTConfig().save_pretrained(tmp_path)
    assert transformers.PoolFormerConfig.from_pretrained(tmp_path).depths == (2, 2, 6, 2)
    with pytest.raises(ConfigError, match="model_type is 'vit'"):
        poolformer.PoolFormerConfig.from_pretrained(tmp_path)


def test_label2id_follows_from_id2label():
    assert transformers.PoolFormerConfig(id2label={0: "cat"}).label2id is None
    assert poolformer.PoolFormerConfig(id2label={0: "cat"}).label2id == {"cat": 0}


def test_a_number_type_in_a_config_is_a_name(folder):
    assert transformers.PoolFormerConfig.from_pretrained(folder).dtype is torch.float32
    assert poolformer.PoolFormerConfig.from_pretrained(folder).dtype == "float32"


def test_an_initializer_range_of_zero_means_zero():
    ours, theirs = build_pair(initializer_range=0.0)
    assert theirs.classifier.weight.std() > 0.01
    assert ours.classifier.weight.std() == 0


def test_one_activation_is_unknown():
    from transformers.activations import ACT2FN

    from poolformer.nn.activations import ACTIVATIONS

    assert set(ACT2FN) - set(ACTIVATIONS) == {"xielu"}
    assert set(ACTIVATIONS) <= set(ACT2FN)


# Networks


def test_iterating_an_output_gives_its_values():
    ours, theirs = build_pair()
    x = torch.zeros(1, 3, 64, 64)
    assert list(theirs(x)) == ["logits"]
    (logits,) = ours(x)
    assert logits.shape == (1, 5)


def test_unknown_arguments_of_a_call_are_refused():
    ours, theirs = build_pair()
    theirs(torch.zeros(1, 3, 64, 64), interpolate=True)
    with pytest.raises(TypeError, match="interpolate"):
        ours(torch.zeros(1, 3, 64, 64), interpolate=True)


def test_labels_without_a_classifier_are_refused():
    ours, theirs = build_pair(num_labels=0)
    x, labels = torch.zeros(1, 3, 64, 64), torch.zeros(1, 10)
    assert theirs(x, labels).loss.shape == ()
    with pytest.raises(ConfigError, match="num_labels is 0"):
        ours(x, labels)


def test_patch_embeddings_start_as_in_the_original():
    ours, theirs = build_pair()
    mine, other = (model.get_input_embeddings().projection for model in (ours, theirs))
    bound = (3 * 7 * 7) ** -0.5  # of torch's uniform default for a convolution of 3 x 7 x 7
    assert 0.9 * bound < mine.weight.abs().max() <= bound
    assert mine.bias.abs().max() > 0
    assert float(other.weight.detach().std()) == pytest.approx(0.02, rel=0.2)
    assert other.bias.abs().max() == 0


def test_a_channel_mlp_has_no_stochastic_depth_of_its_own():
    ours, theirs = build_pair(drop_path_rate=0.9)
    x = torch.randn(64, 10, 2, 2)
    torch.manual_seed(0)
    mlps = [randomise(network.poolformer.encoder.block[3][0].output).train() for network in (ours, theirs)]
    dropped = [(mlp(x) - mlp.conv2.bias[:, None, None]).abs().flatten(1).amax(1) < 1e-6 for mlp in mlps]
    assert not dropped[0].any()
    assert (mlps[1](x).flatten(1) == 0).all(1).float().mean() > 0.5


# Opening and saving


@pytest.mark.parametrize("option", ["device_map", "force_download", "subfolder", "use_safetensors", "variant"])
def test_options_that_are_not_offered_are_refused_by_name(option, folder):
    for public in (poolformer.PoolFormerConfig, poolformer.PoolFormerModel):
        with pytest.raises(ConfigError, match=f"no field {option}"):
            public.from_pretrained(folder, **{option: None})


def test_a_checkpoint_with_a_gap_is_refused(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["poolformer.encoder.block.0.0.output.conv1.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    transformers.PoolFormerForImageClassification.from_pretrained(folder)
    with pytest.raises(WeightsError, match="1 missing"):
        poolformer.PoolFormerForImageClassification.from_pretrained(folder)


def test_errors_are_of_one_family(folder, tmp_path):
    with pytest.raises(RuntimeError):
        transformers.PoolFormerForImageClassification.from_pretrained(folder, num_labels=3)
    with pytest.raises(OSError, match="nothing"):
        transformers.PoolFormerModel.from_pretrained(tmp_path / "nothing")
    for call in (
        lambda: poolformer.PoolFormerForImageClassification.from_pretrained(folder, num_labels=3),
        lambda: poolformer.PoolFormerModel.from_pretrained(tmp_path / "nothing"),
        lambda: poolformer.PoolFormerModel(poolformer.PoolFormerConfig())(None),
    ):
        with pytest.raises(PoolFormerError):
            call()


def test_new_weights_are_announced_in_this_library_s_log(folder, caplog):
    model = poolformer.PoolFormerForImageClassification.from_pretrained(
        folder, num_labels=3, ignore_mismatched_sizes=True
    )
    assert model.num_labels == 3
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("poolformer.weights.pretrained", logging.WARNING)
    ]


def test_saving_leaves_the_config_in_memory_alone(tmp_path):
    ours, theirs = build_pair()
    for model, name in ((ours, "ours"), (theirs, "theirs")):
        model.save_pretrained(tmp_path / name)
        stored = json.loads((tmp_path / name / "config.json").read_text())
        assert (stored["architectures"], stored["dtype"]) == (["PoolFormerForImageClassification"], "float32")
    assert theirs.config.architectures == ["PoolFormerForImageClassification"]
    assert "architectures" not in ours.config.extra


def test_saving_and_pushing_are_two_calls(tmp_path):
    for saved in (build_pair()[0], poolformer.PoolFormerConfig(), poolformer.PoolFormerImageProcessor()):
        with pytest.raises(TypeError, match="push_to_hub"):
            saved.save_pretrained(tmp_path, push_to_hub=True)


def test_public_names_are_those_of_transformers():
    theirs = {
        name for name in dir(transformers) if name.startswith("PoolFormer") and not name.endswith("FeatureExtractor")
    }
    assert theirs == set(poolformer.__all__)
