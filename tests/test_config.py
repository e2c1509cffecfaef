"""PoolFormerConfig: what it reads, what it writes, what it refuses."""

import json

import pytest
import transformers

from poolformer import PoolFormerConfig
from poolformer.errors import ConfigError


def test_the_defaults_are_those_of_transformers():
    theirs, ours = transformers.PoolFormerConfig().to_dict(), PoolFormerConfig().to_dict()
    shared = {key: value for key, value in theirs.items() if key in ours}
    assert shared == json.loads(json.dumps(ours)) | {"id2label": theirs["id2label"]}
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
