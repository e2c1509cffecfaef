"""PoolFormerConfig: what it reads, what it writes, what it refuses."""

import copy
import dataclasses
import json
import math
import pickle
import random

import pytest
import transformers
from networks import random_fields

from poolformer import PoolFormerConfig, nn
from poolformer.errors import ConfigError
from poolformer.nn.checks import LEAST_OF_STAGE


def test_the_defaults_are_those_of_transformers():
    theirs, ours = transformers.PoolFormerConfig().to_dict(), PoolFormerConfig().to_dict()
    shared = {key: value for key, value in theirs.items() if key in ours}
    assert ours == shared
    assert set(theirs) - set(ours) == {
        "_name_or_path",
        "architectures",
        "chunk_size_feed_forward",
        "dtype",
        "is_encoder_decoder",
        "output_attentions",
        "transformers_version",
    }


def test_unknown_keys_survive_a_round_trip(tmp_path):
    PoolFormerConfig.from_dict({"depths": [1, 2, 3, 4], "torch_dtype": "float32", "note": {"a": [1]}}).save_pretrained(
        tmp_path
    )
    again = PoolFormerConfig.from_json_file(tmp_path / "config.json")
    assert again.extra == {"torch_dtype": "float32", "note": {"a": [1]}}
    assert again.depths == [1, 2, 3, 4]
    assert json.loads((tmp_path / "config.json").read_text())["note"] == {"a": [1]}


def test_a_config_saved_by_either_side_opens_in_the_other(tmp_path):
    labels = {0: "crane", 1: "crane", 2: "tench, Tinca tinca"}
    theirs = transformers.PoolFormerConfig(hidden_sizes=[8, 16, 24, 32], id2label=labels, hidden_act="relu")
    theirs.save_pretrained(tmp_path / "theirs")
    ours = PoolFormerConfig.from_json_file(tmp_path / "theirs" / "config.json")
    assert (ours.id2label, ours.num_labels, ours.hidden_act) == (labels, 3, "relu")
    ours.save_pretrained(tmp_path / "ours")
    again = transformers.PoolFormerConfig.from_pretrained(tmp_path / "ours")
    assert (again.id2label, list(again.hidden_sizes), again.hidden_act) == (labels, [8, 16, 24, 32], "relu")


def test_the_number_of_labels_follows_the_labels():
    assert PoolFormerConfig().num_labels == 2
    assert PoolFormerConfig(num_labels=3).id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    config = PoolFormerConfig(id2label={"0": "cat", "1": "dog"})
    assert (config.num_labels, config.labels, config.label2id) == (2, ["cat", "dog"], {"cat": 0, "dog": 1})
    config.num_labels = 4
    assert config.labels == ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"]
    assert PoolFormerConfig(num_labels=0).labels == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"depths": [2, 2, 6]}, "depths"),
        ({"hidden_sizes": [64, 128, 320, -1]}, "hidden_sizes"),
        ({"strides": "4222"}, "strides"),
        ({"patch_sizes": 7}, "patch_sizes"),
        ({"padding": [2, 1, 1, 1.5]}, "padding"),
        ({"num_encoder_blocks": 0}, "num_encoder_blocks"),
        ({"num_channels": True}, "num_channels"),
        ({"pool_size": 2}, "pool_size"),
        ({"mlp_ratio": 0}, "mlp_ratio"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio"),
        ({"drop_path_rate": 1.0}, "drop_path_rate"),
        ({"hidden_act": "swishy"}, "hidden_act"),
        ({"layer_scale_init_value": -1}, "layer_scale_init_value"),
        ({"initializer_range": "0.02"}, "initializer_range"),
        ({"problem_type": "ranking"}, "problem_type"),
        ({"model_type": "vit"}, "model_type"),
    ],
    ids=str,
)
def test_what_cannot_be_built_is_refused_by_field_and_value(fields, named):
    with pytest.raises(ConfigError) as caught:
        PoolFormerConfig.from_dict(fields)
    assert str(caught.value).startswith(f"{named} is {next(iter(fields.values()))!r}; ")


@pytest.mark.parametrize("content", ["{", "[1]", '"text"'])
def test_a_file_that_is_no_config_is_refused_in_a_sentence(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigError, match=r"config\.json"):
        PoolFormerConfig.from_json_file(tmp_path / "config.json")


# --- What users of configs write ---


def test_keywords_of_transformers_make_the_same_config():
    theirs = transformers.PoolFormerConfig(depths=[1, 1, 2, 1], hidden_act="relu", num_labels=3)
    ours = PoolFormerConfig(**theirs.to_dict())
    assert ours.depths == theirs.depths
    assert (ours.hidden_act, ours.id2label) == (theirs.hidden_act, theirs.id2label)
    assert ours.architectures is None  # what every config of transformers has is kept, and reads as there
    assert ours.transformers_version == transformers.__version__
    again = transformers.PoolFormerConfig(**ours.to_dict())
    assert again.to_dict() == theirs.to_dict()


def test_a_config_makes_its_own_copy_of_what_it_is_given():
    depths, names = [1, 1, 2, 1], {0: "cat"}
    config = PoolFormerConfig(depths=depths, id2label=names, extra={"note": [1]})
    depths[0], names[0] = 7, "dog"
    assert (config.depths, config.id2label) == ([1, 1, 2, 1], {0: "cat"})
    values = config.to_dict()
    values["depths"].append(5)
    values["note"].append(2)
    assert (config.depths, config.note) == ([1, 1, 2, 1], [1])


def test_configs_are_equal_when_all_they_hold_is():
    assert PoolFormerConfig() == PoolFormerConfig(num_labels=2)
    assert PoolFormerConfig() == nn.PoolFormerConfig()
    assert PoolFormerConfig() != PoolFormerConfig(num_labels=3)
    assert PoolFormerConfig() != PoolFormerConfig(extra={"note": 1})
    assert PoolFormerConfig() != PoolFormerConfig().to_dict()


def test_copies_and_pickles_are_equal_and_their_own():
    config = PoolFormerConfig(num_labels=3, extra={"note": [1]})
    for other in (copy.deepcopy(config), pickle.loads(pickle.dumps(config)), dataclasses.replace(config)):
        assert type(other) is type(config)
        assert other == config
        other.depths[0] = 9
        assert other != config


def test_overrides_replace_single_fields():
    values = PoolFormerConfig(id2label={0: "cat", 1: "dog"}, depths=[1, 1, 1, 1]).to_dict()
    assert PoolFormerConfig.from_dict(values, num_labels=2).labels == ["cat", "dog"]
    other = PoolFormerConfig.from_dict(values, num_labels=3, drop_path_rate=0.1)
    assert (other.labels, other.drop_path_rate) == (["LABEL_0", "LABEL_1", "LABEL_2"], 0.1)
    assert other.depths == [1, 1, 1, 1]
    renamed = PoolFormerConfig.from_dict(values, id2label={"0": "ant", "1": "bee", "2": "cow"})
    assert renamed.label2id == {"ant": 0, "bee": 1, "cow": 2}
    fine_tuned = PoolFormerConfig.from_dict(values, num_labels=1, id2label={"0": "ant"}, label2id={"ant": "0"})
    assert (fine_tuned.id2label, fine_tuned.label2id) == ({0: "ant"}, {"ant": 0})


def test_from_pretrained_opens_folders_and_json_files(tmp_path):
    PoolFormerConfig(depths=[1, 1, 1, 1], num_labels=3).save_pretrained(tmp_path)
    for source in (tmp_path, str(tmp_path), tmp_path / "config.json"):
        assert PoolFormerConfig.from_pretrained(source).depths == [1, 1, 1, 1]
        assert PoolFormerConfig.from_pretrained(source, num_labels=10).num_labels == 10
    with pytest.raises(ConfigError, match=r"no readable config\.json"):
        PoolFormerConfig.from_pretrained(tmp_path.parent)


def test_saving_onto_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="file is a file"):
        PoolFormerConfig().save_pretrained(tmp_path / "file")


def test_saving_a_config_changed_into_nonsense_is_refused(tmp_path):
    config = PoolFormerConfig()
    config.hidden_act = "swishy"
    with pytest.raises(ConfigError, match="hidden_act"):
        config.save_pretrained(tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- Random configs ---


@pytest.mark.parametrize("seed", range(200))
def test_random_configs_survive_files_of_either_side(seed, tmp_path):
    fields = random_fields(seed)
    fields.pop("picture")
    ours, theirs = PoolFormerConfig(**fields), transformers.PoolFormerConfig(**fields)
    ours.save_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    assert PoolFormerConfig.from_pretrained(tmp_path / "ours") == ours
    opened = PoolFormerConfig.from_pretrained(tmp_path / "theirs").to_dict()
    again = transformers.PoolFormerConfig.from_pretrained(tmp_path / "ours").to_dict()
    for name, value in ours.to_dict().items():
        assert opened[name] == value
        assert again[name] == value


@pytest.mark.parametrize("seed", range(200))
def test_random_configs_with_one_wrong_field_are_refused_by_its_name(seed):
    fields = random_fields(seed)
    fields.pop("picture")
    chance = random.Random(seed)
    name = chance.choice(sorted(WRONG_VALUES))
    value = chance.choice(WRONG_VALUES[name](fields))
    with pytest.raises(ConfigError) as caught:
        PoolFormerConfig(**{**fields, name: value})
    assert str(caught.value).startswith(f"{name} is {value!r}; it must be ")
    config = PoolFormerConfig(**fields)
    with pytest.raises(ConfigError, match=f"^{name} is "):  # at once, or when a network is built from it
        build_changed(config, name, value)


def build_changed(config, name, value):
    setattr(config, name, value)
    return nn.PoolFormerModel(config)


def _wrong_lists(name, least):
    return lambda fields: [
        [*fields[name], 2],
        fields[name][:-1],
        [*fields[name][:-1], least - 1],
        [*fields[name][:-1], 1.5],
        [*fields[name][:-1], True],
        7,
        "3",
        None,
    ]


WRONG_VALUES = {
    **{name: _wrong_lists(name, least) for name, least in LEAST_OF_STAGE.items()},
    "num_channels": lambda _: [0, -1, 2.0, "3", None, True],
    "stride": lambda _: [0, [4], None],
    "patch_size": lambda _: [0, -16, [7, 0], "7", None],
    "pool_size": lambda _: [0, -1, 2, 3.0, None],
    "mlp_ratio": lambda _: [0, -4.0, math.nan, math.inf, "4", None, 0.01],
    "drop_path_rate": lambda _: [-0.1, 1, 1.5, math.nan, None, True],
    "hidden_act": lambda _: ["GELU", "", None, 3, ["gelu"]],
    "use_layer_scale": lambda _: [1, 0, "yes", None],
    "layer_scale_init_value": lambda _: [-1e-5, math.inf, "0", None],
    "initializer_range": lambda _: [-0.02, math.nan, None],
    "problem_type": lambda _: ["ranking", "", 1, ["regression"]],
    "num_labels": lambda _: [-1, 2.0, "2", True],
    "id2label": lambda _: [["cat"], {"cat": 0}, {-1: "cat"}, 3],
    "label2id": lambda _: [["cat"], {"cat": "first"}, 3],
    "output_hidden_states": lambda _: [1, "yes"],
    "return_dict": lambda _: [0, "no"],
    "token_mixer": lambda _: ["max", "Pooling", "", None, 3, ["pooling"]],
}
