"""Opening and saving config, networks and processors: folders and the Hub, this library and `transformers`."""

import json
import logging
from functools import partial

import numpy as np
import pytest
import torch
import transformers
from hub_server import HubServer, join_fetches, local_network
from huggingface_hub import constants
from networks import random_fields, randomise
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import poolformer
from poolformer import (
    PoolFormerConfig,
    PoolFormerForImageClassification,
    PoolFormerImageProcessor,
    PoolFormerImageProcessorPil,
    PoolFormerModel,
    PoolFormerPreTrainedModel,
)
from poolformer.errors import ConfigError, HubUnreachableError, WeightsError
from poolformer.weights import sources

SMALL = {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 6, 8, 10], "num_labels": 5}
NETWORKS = ("PoolFormerModel", "PoolFormerForImageClassification")
REPO = "someone/small"


def build_small(**fields):
    return randomise(PoolFormerForImageClassification(PoolFormerConfig(**{**SMALL, **fields})))


@pytest.fixture
def folder(tmp_path):
    """A classifier's checkpoint, as this library saves it."""
    build_small().save_pretrained(tmp_path / "small")
    PoolFormerImageProcessorPil(crop_pct=0.95, size=64, crop_size=64).save_pretrained(tmp_path / "small")
    return tmp_path / "small"


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """A Hub with `folder` as REPO, a cache of this test, and no other network."""
    with local_network(), HubServer() as server:
        for name in ("fetch_snapshot", "push_folder"):
            monkeypatch.setattr(sources, name, partial(getattr(sources, name), endpoint=server.endpoint))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        server.publish(REPO, folder)
        yield server
    join_fetches()


def same_weights(model, other):
    mine, theirs = model.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


# Between the two libraries


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(6))
def test_a_checkpoint_saved_by_either_side_opens_in_the_other(seed, name, tmp_path):
    fields = random_fields(seed)
    height, width = fields.pop("picture")
    x = torch.randn(1, fields["num_channels"], height, width)
    theirs = randomise(getattr(transformers, name)(transformers.PoolFormerConfig(**fields)), seed)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = getattr(poolformer, name).from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    again = getattr(transformers, name).from_pretrained(tmp_path / "ours")
    assert not ours.training
    for model in (ours, again):
        assert same_weights(model, theirs)
        assert (model(x)[0] - theirs(x)[0]).abs().max() < 1e-4
    fields = ours.config.to_dict()
    assert {name: again.config.to_dict()[name] for name in fields} == fields


@pytest.mark.parametrize("theirs_first", [True, False])
def test_a_processor_saved_by_either_side_opens_in_the_other(theirs_first, tmp_path):
    options = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 24}, "crop_pct": 0.8}
    writer, reader = transformers.PoolFormerImageProcessorPil, PoolFormerImageProcessorPil
    if not theirs_first:
        writer, reader = reader, writer
    writer(**options).save_pretrained(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    expected, found = (
        processor(Image.fromarray(noise), return_tensors="pt").pixel_values
        for processor in (writer(**options), reader.from_pretrained(tmp_path))
    )
    assert (expected - found).abs().max() < 1e-6


def test_auto_classes_of_transformers_open_what_was_saved(folder):
    model = transformers.AutoModelForImageClassification.from_pretrained(folder)
    assert type(model) is transformers.PoolFormerForImageClassification
    assert transformers.AutoConfig.from_pretrained(folder).architectures == ["PoolFormerForImageClassification"]
    assert same_weights(model, build_small())


# What a folder holds


def test_the_saved_files_are_those_of_transformers(folder):
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["PoolFormerForImageClassification"]
    assert (config["dtype"], config["model_type"]) == ("float32", "poolformer")
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert weights.metadata() == {"format": "pt"}


def test_saving_leaves_the_model_as_it_was(tmp_path):
    model = build_small()
    before = model.config.to_dict()
    model.save_pretrained(tmp_path)
    assert model.config.to_dict() == before


def test_a_model_is_saved_into_the_folder_it_was_opened_from(folder):
    model = PoolFormerForImageClassification.from_pretrained(folder)
    stored = (folder / "model.safetensors").read_bytes()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1
    assert (folder / "model.safetensors").read_bytes() == stored, "training wrote into the file"
    model.save_pretrained(folder)
    assert same_weights(PoolFormerForImageClassification.from_pretrained(folder), model)
    assert not list(folder.glob(".saving*"))


def test_the_stages_inside_a_classifier_can_be_saved_alone(tmp_path):
    model = build_small()
    model.poolformer.save_pretrained(tmp_path)
    assert same_weights(PoolFormerModel.from_pretrained(tmp_path), model.poolformer)


def test_a_pickled_checkpoint_opens(folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert same_weights(PoolFormerForImageClassification.from_pretrained(folder), build_small())


# Options


def test_public_classes_are_what_they_are_called(folder):
    model = PoolFormerForImageClassification.from_pretrained(folder)
    assert isinstance(model, PoolFormerPreTrainedModel)
    assert type(model.config) is PoolFormerConfig
    assert type(model.poolformer) is PoolFormerModel
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, "float16", "torch.float64"], ids=str)
def test_a_number_type_is_taken_when_asked_for_and_kept_when_saved(dtype, folder, tmp_path):
    model = PoolFormerForImageClassification.from_pretrained(folder, dtype=dtype)
    expected = getattr(torch, str(dtype).removeprefix("torch."))
    assert {tensor.dtype for tensor in model.state_dict().values()} == {model.dtype} == {expected}
    model.save_pretrained(tmp_path)
    assert PoolFormerForImageClassification.from_pretrained(tmp_path).dtype == expected
    assert transformers.PoolFormerForImageClassification.from_pretrained(tmp_path).dtype == expected


def test_without_a_word_in_the_config_the_stored_number_type_counts(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["dtype"]
    (folder / "config.json").write_text(json.dumps(config))
    weights = {key: tensor.half() for key, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for model_class in (PoolFormerForImageClassification, transformers.PoolFormerForImageClassification):
        assert model_class.from_pretrained(folder).dtype == torch.float16
        assert model_class.from_pretrained(folder, torch_dtype=torch.float32).dtype == torch.float32


def test_an_unknown_number_type_is_refused(folder):
    with pytest.raises(ConfigError, match="dtype is 'int8'; it must be one of float32"):
        PoolFormerForImageClassification.from_pretrained(folder, dtype="int8")


def test_weights_go_to_the_device(folder):
    config = PoolFormerConfig.from_pretrained(folder, use_layer_scale=False)
    model = PoolFormerModel.from_pretrained(folder, device="meta")
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}
    assert config.use_layer_scale is False


def test_a_network_without_layer_scale_opens_whole(tmp_path):
    build_small(use_layer_scale=False).save_pretrained(tmp_path)
    model = PoolFormerForImageClassification.from_pretrained(tmp_path, dtype="float64")
    assert {tensor.dtype for tensor in (*model.parameters(), *model.buffers())} == {torch.float64}
    assert model(torch.zeros(1, 3, 32, 32, dtype=torch.float64)).logits.shape == (1, 5)


def test_overrides_and_another_config_change_the_network(folder):
    model = PoolFormerForImageClassification.from_pretrained(folder, drop_path_rate=0.5, hidden_act="relu")
    assert (model.config.drop_path_rate, model.config.hidden_act) == (0.5, "relu")
    mine = PoolFormerConfig(**SMALL, hidden_act="tanh")
    other = PoolFormerModel.from_pretrained(folder, config=mine, output_hidden_states=True)
    assert (other.config.hidden_act, other.config.output_hidden_states) == ("tanh", True)
    assert (mine.output_hidden_states, other.config is mine) == (False, False)
    third = PoolFormerModel.from_pretrained(folder, config=folder / "config.json", pool_size=5)
    assert third.config.pool_size == 5


# Weights that do not fit


def test_stages_open_from_a_classifier_without_a_word(folder, caplog):
    model = PoolFormerModel.from_pretrained(folder)
    assert same_weights(model, build_small().poolformer)
    assert caplog.records == []


def test_a_classifier_opens_from_stages_with_a_new_head_and_says_so(tmp_path, caplog):
    model = build_small()
    model.poolformer.save_pretrained(tmp_path)
    opened = PoolFormerForImageClassification.from_pretrained(tmp_path)
    assert same_weights(opened.poolformer, model.poolformer)
    assert torch.equal(opened.norm.weight, torch.ones(10))
    assert opened.classifier.weight.std() > 0
    assert caplog.records[0].levelno == logging.WARNING
    assert "norm.weight, norm.bias, classifier.weight, classifier.bias" in caplog.text


def test_another_number_of_labels_is_refused_unless_asked_for(folder, caplog):
    with pytest.raises(WeightsError, match=r"knows 5 labels and 3 are asked for; .*ignore_mismatched_sizes=True"):
        PoolFormerForImageClassification.from_pretrained(folder, num_labels=3)
    assert caplog.records == []
    model = PoolFormerForImageClassification.from_pretrained(folder, num_labels=3, ignore_mismatched_sizes=True)
    assert model(torch.zeros(1, 3, 32, 32)).logits.shape == (1, 3)
    assert torch.equal(model.norm.weight, build_small().norm.weight)
    assert caplog.text.strip().endswith("to be trained before use: classifier.weight, classifier.bias")


def test_a_features_network_opens_from_a_classifier(folder):
    model = PoolFormerForImageClassification.from_pretrained(folder, num_labels=0)
    reference = build_small()
    x = torch.randn(2, 3, 40, 40)
    features = model(x).logits
    assert features.shape == (2, 10)
    assert torch.allclose(reference.classifier(features), reference(x).logits, atol=1e-6)


def test_other_channels_start_anew_when_asked_for(folder, caplog):
    with pytest.raises(WeightsError, match=r"1 of another shape \(poolformer.encoder.patch_embeddings.0.projection"):
        PoolFormerForImageClassification.from_pretrained(folder, num_channels=1)
    model = PoolFormerForImageClassification.from_pretrained(folder, num_channels=1, ignore_mismatched_sizes=True)
    assert model(torch.zeros(1, 1, 32, 32)).logits.shape == (1, 5)
    assert "patch_embeddings.0.projection.weight" in caplog.text
    assert "bias" not in caplog.text


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("poolformer.encoder.block.0.0.layer_scale_1", "1 missing (poolformer.encoder.block.0.0.layer_scale_1)"),
        ("classifier.bias", "1 missing (classifier.bias)"),
        ("norm.weight", "1 missing (norm.weight)"),
    ],
)
def test_a_checkpoint_with_a_gap_is_refused(lost, named, folder):
    weights = load_file(folder / "model.safetensors")
    save_file({key: tensor for key, tensor in weights.items() if key != lost}, folder / "model.safetensors")
    with pytest.raises(WeightsError) as caught:
        PoolFormerForImageClassification.from_pretrained(folder, ignore_mismatched_sizes=True)
    assert named in str(caught.value)


def test_a_checkpoint_of_something_else_is_refused(folder):
    weights = {**load_file(folder / "model.safetensors"), "extra.weight": torch.zeros(1)}
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"1 unexpected \(extra.weight\)"):
        PoolFormerForImageClassification.from_pretrained(folder)


# From the Hub


def test_everything_opens_from_the_hub_and_then_from_the_cache(hub):
    x = torch.randn(1, 3, 40, 40)
    for is_cached in (False, True):
        hub.requests.clear()
        assert PoolFormerConfig.from_pretrained(REPO).depths == [1, 1, 1, 1]
        assert PoolFormerForImageClassification.from_pretrained(REPO)(x).logits.shape == (1, 5)
        assert PoolFormerModel.from_pretrained(REPO)(x).last_hidden_state.shape[:2] == (1, 10)
        assert PoolFormerImageProcessorPil.from_pretrained(REPO).crop_pct == 0.95
        assert PoolFormerImageProcessor.from_pretrained(REPO, crop_size=32).crop_size == {"height": 32, "width": 32}
        assert (hub.requests == []) == is_cached


def test_a_config_or_processor_costs_no_weights(hub):
    PoolFormerConfig.from_pretrained(REPO)
    PoolFormerImageProcessor.from_pretrained(REPO)
    assert not any("model.safetensors" in request.path for request in hub.requests)


def test_revision_cache_and_token_reach_the_hub(hub, folder, tmp_path):
    build_small(hidden_act="relu").save_pretrained(folder)
    commit = hub.publish(REPO, folder, branch="other")
    options = {"cache_dir": tmp_path / "elsewhere", "token": "hf_secret"}
    for revision in ("other", commit):
        model = PoolFormerForImageClassification.from_pretrained(REPO, revision=revision, **options)
        assert model.config.hidden_act == "relu"
    assert (tmp_path / "elsewhere").is_dir()
    assert {request.headers.get("authorization") for request in hub.requests} >= {"Bearer hf_secret"}


def test_local_files_only_forbids_the_network(hub):
    for public in (PoolFormerConfig, PoolFormerForImageClassification, PoolFormerImageProcessorPil):
        with pytest.raises(HubUnreachableError, match="local_files_only"):
            public.from_pretrained(REPO, local_files_only=True)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["./nothing", "nothing", "/no/such/folder", "a/b/c", "~/model"])
def test_what_is_neither_folder_nor_repository_is_refused_without_asking(name, hub):
    for public in (PoolFormerConfig, PoolFormerModel, PoolFormerImageProcessor):
        with pytest.raises(WeightsError, match=f"There is no folder '{name}'; give one, or a repository of the Hub"):
            public.from_pretrained(name)
    assert hub.requests == []


def test_a_folder_without_weights_is_refused(tmp_path):
    PoolFormerConfig().save_pretrained(tmp_path / "half")
    with pytest.raises(WeightsError, match=r"half holds no checkpoint; it needs config\.json and model\.safetensors"):
        PoolFormerModel.from_pretrained(tmp_path / "half")


@pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # huggingface_hub's own upload
@pytest.mark.parametrize("what", ["config", "model", "processor"])
def test_push_to_hub_uploads_what_save_pretrained_writes(what, hub, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    saved = {"config": PoolFormerConfig(**SMALL), "model": build_small(), "processor": PoolFormerImageProcessorPil()}[
        what
    ]
    address = saved.push_to_hub("someone/mine", token="hf_secret", private=True, commit_message="Trained")
    uploaded = hub.uploads["someone/mine"]
    saved.save_pretrained(tmp_path / "saved")
    assert uploaded.files == {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()}
    assert (uploaded.private, uploaded.message) == (True, "Trained")
    assert address.startswith(f"{hub.endpoint}/someone/mine/commit/")
