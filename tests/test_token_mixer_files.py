"""Configs and checkpoints with each token mixer: what files hold, what opens them, and that `transformers` refuses."""

import json
import logging

import pytest
import torch
import transformers
from networks import randomise
from safetensors.torch import load_file, save_file

from poolformer import PoolFormerConfig, PoolFormerForImageClassification, PoolFormerModel
from poolformer.errors import ConfigError, WeightsError
from poolformer.nn.mixers import MIXERS
from poolformer.weights.checkpoint import load_checkpoint

SMALL = {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 6, 8, 10], "num_labels": 5}
OTHERS = [name for name in MIXERS if name != "pooling"]


def build_config(token_mixer, **fields):
    size = {"image_size": 64} if token_mixer == "random" else {}
    return PoolFormerConfig(**{**SMALL, **size, **fields}, token_mixer=token_mixer)


def save_checkpoint(token_mixer, folder):
    model = randomise(PoolFormerForImageClassification(build_config(token_mixer)))
    model.save_pretrained(folder)
    return model


# Config


@pytest.mark.parametrize("token_mixer", MIXERS)
def test_a_config_survives_its_file(token_mixer, tmp_path):
    config = build_config(token_mixer, pool_size=5)
    config.save_pretrained(tmp_path)
    for again in (PoolFormerConfig.from_pretrained(tmp_path), PoolFormerConfig(**config.to_dict())):
        assert again == config
        assert (again.token_mixer, again.image_size, again.extra) == (token_mixer, config.image_size, {})
        if token_mixer in ("pooling", "convolution"):
            assert again.pool_size == 5


def test_pooling_is_written_as_transformers_writes_it(tmp_path):
    build_config("pooling").save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored.keys() <= transformers.PoolFormerConfig(num_labels=5).to_dict().keys()
    assert (stored["model_type"], stored["pool_size"]) == ("poolformer", 3)


@pytest.mark.parametrize("token_mixer", OTHERS)
def test_another_mixer_is_written_as_what_it_is(token_mixer, tmp_path, caplog):
    build_config(token_mixer).save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert (stored["model_type"], stored["token_mixer"], stored["pool_size"]) == ("metaformer", token_mixer, None)
    assert stored.get("kernel_size") == (3 if token_mixer == "convolution" else None)
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "poolformer.nn.config")
    assert f"token_mixer is '{token_mixer}', and transformers has pooling only" in record.message


def test_an_unknown_mixer_is_refused_with_those_that_there_are():
    allowed = "one of pooling, identity, random, convolution, attention"
    with pytest.raises(ConfigError, match=f"^token_mixer is 'atention'; it must be {allowed}"):
        PoolFormerConfig(token_mixer="atention")
    for value in (None, ["pooling"], 3):
        with pytest.raises(ConfigError, match=r"^token_mixer is "):
            PoolFormerConfig(token_mixer=value)


@pytest.mark.parametrize("image_size", [None, 0, 32.0, "224", [224, 224], True])
def test_the_random_mixer_needs_a_size(image_size):
    with pytest.raises(ConfigError, match=r"^image_size is .*because token_mixer is 'random'"):
        PoolFormerConfig(token_mixer="random", image_size=image_size)
    with pytest.raises(ConfigError, match=r"^image_size is 4; .*enough for a cell in every stage"):
        PoolFormerConfig(token_mixer="random", image_size=4, padding=[0] * 4)


def test_what_a_file_says_of_the_size_of_pictures_is_kept_unread():
    config = PoolFormerConfig.from_dict({"image_size": [224, 224]})
    assert config.to_dict()["image_size"] == [224, 224]


def test_a_mixer_can_be_exchanged_by_an_override():
    values = build_config("convolution", pool_size=7).to_dict()
    for token_mixer in ("pooling", "attention"):
        other = PoolFormerConfig.from_dict(values, token_mixer=token_mixer)
        assert (other.token_mixer, other.pool_size, other.extra) == (token_mixer, 7, {})
    pooling = PoolFormerConfig(**SMALL).to_dict()
    assert PoolFormerConfig.from_dict({**pooling, "token_mixer": "identity"}) == build_config("identity")


def test_a_file_of_another_kind_of_metaformer_is_refused():
    with pytest.raises(ConfigError, match=r"model_type is 'metaformer'.*name their token_mixer"):
        PoolFormerConfig.from_dict({"model_type": "metaformer", "depths": [1, 1, 1, 1]})
    with pytest.raises(ConfigError, match="pool_size is None"):
        PoolFormerConfig.from_dict({"model_type": "metaformer", "token_mixer": "convolution", "pool_size": None})


# Checkpoints


@pytest.mark.parametrize("token_mixer", MIXERS)
def test_a_checkpoint_opens_with_every_weight_it_was_saved_with(token_mixer, tmp_path):
    model = save_checkpoint(token_mixer, tmp_path)
    x = torch.randn(2, 3, 64, 64)
    headless = PoolFormerModel.from_pretrained(tmp_path)
    for again in (PoolFormerForImageClassification.from_pretrained(tmp_path), load_checkpoint(tmp_path).model):
        assert again.config.token_mixer == token_mixer
        again.load_state_dict(model.state_dict(), strict=True)
        assert torch.equal(again(x).logits, model(x).logits)
        assert torch.equal(again.poolformer(x)[0], headless(x)[0])


@pytest.mark.parametrize("token_mixer", ["random", "convolution", "attention"])
def test_weights_of_another_mixer_are_refused(token_mixer, tmp_path):
    save_checkpoint(token_mixer, tmp_path)
    for other in ("identity", "attention" if token_mixer == "convolution" else "convolution"):
        build_config(other).save_pretrained(tmp_path)
        with pytest.raises(WeightsError, match=r"unexpected \(poolformer.encoder.block.0.0.token_mixer"):
            load_checkpoint(tmp_path)
        with pytest.raises(WeightsError, match=r"unexpected \(poolformer.encoder.block.0.0.token_mixer"):
            PoolFormerForImageClassification.from_pretrained(tmp_path)


def test_a_random_matrix_that_is_missing_is_not_drawn_anew(tmp_path):
    save_checkpoint("random", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["poolformer.encoder.block.2.0.token_mixer.matrix"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="1 missing"):
        load_checkpoint(tmp_path)


# Transformers


@pytest.mark.parametrize("token_mixer", OTHERS)
def test_transformers_refuses_what_it_would_compute_wrongly(token_mixer, tmp_path):
    save_checkpoint(token_mixer, tmp_path)
    for public in ("PoolFormerConfig", "PoolFormerModel", "PoolFormerForImageClassification"):
        with pytest.raises(Exception, match=r"'pool_size' expected int, got NoneType"):
            getattr(transformers, public).from_pretrained(tmp_path)
    for public in ("AutoConfig", "AutoModel", "AutoModelForImageClassification"):
        with pytest.raises(ValueError, match="model type `metaformer` but Transformers does not recognize"):
            getattr(transformers, public).from_pretrained(tmp_path)
    with pytest.raises(Exception, match=r"'pool_size' expected int, got NoneType"):
        transformers.PoolFormerConfig(**build_config(token_mixer).to_dict())


def test_with_only_the_name_of_a_mixer_transformers_would_build_pooling(tmp_path):
    """Why the files look as they do."""
    save_checkpoint("identity", tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    stored |= {"pool_size": 3}
    (tmp_path / "config.json").write_text(json.dumps(stored))
    model = transformers.PoolFormerForImageClassification.from_pretrained(tmp_path)
    assert type(model.poolformer.encoder.block[0][0].pooling).__name__ == "PoolFormerPooling"
