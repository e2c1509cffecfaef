import json

import pytest
import torch
import transformers

from poolformer.errors import UnknownVariantError, WeightsError
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.nn.cost import mac_count, parameter_count
from poolformer.weights import variants
from poolformer.weights.variants import VARIANT_NAMES, VARIANTS, variant

TINY = {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 6, 8, 10], "strides": [1, 2, 2, 2], "num_labels": 3}


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A bundled checkpoint as the training command describes one, in a folder of its own."""
    folder = tmp_path / "tiny"
    PoolFormerConfig(**TINY).save_pretrained(folder)
    processing = {"crop_size": {"height": 32, "width": 32}, "crop_pct": 1.0}
    (folder / "preprocessor_config.json").write_text(json.dumps(processing))
    (folder / "metrics.json").write_text(json.dumps({"top1": 81.25, "dataset": "CIFAR-10"}))
    monkeypatch.setattr(variants, "BUNDLED_DIR", tmp_path)
    return folder


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_are_those_of_transformers(name):
    row = VARIANTS[name]
    config = transformers.PoolFormerConfig(depths=row.depths, hidden_sizes=row.hidden_sizes, num_labels=1000)
    with torch.device("meta"):
        expected = transformers.PoolFormerForImageClassification(config).num_parameters()
    assert parameter_count(row.config()) == expected


@pytest.mark.parametrize("name", VARIANTS)
def test_config_of_a_published_variant_has_its_depths_sizes_and_labels(name):
    config = VARIANTS[name].config(num_labels=7)
    assert (tuple(config.depths), tuple(config.hidden_sizes)) == (VARIANTS[name].depths, VARIANTS[name].hidden_sizes)
    assert config.num_labels == 7


def test_tiny_is_described_by_its_files(bundle):
    row = variant("tiny")
    assert (row.depths, row.hidden_sizes) == ((1, 1, 1, 1), (4, 6, 8, 10))
    assert (row.top1_percent, row.dataset, row.input_size_px, row.crop_pct) == (81.25, "CIFAR-10", 32, 1.0)
    assert row.folder == bundle
    config = row.config()
    assert config.strides == [1, 2, 2, 2]
    assert config.num_labels == 3
    parameters = sum(p.numel() for p in PoolFormerForImageClassification(config).parameters())
    assert row.parameters_m == pytest.approx(parameters / 1e6)
    assert row.macs_g == pytest.approx(mac_count(config, 32, 32).total / 1e9)


def test_tiny_without_a_measured_accuracy_is_a_sentence(bundle):
    (bundle / "metrics.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"metrics\.json in tiny has no number top1"):
        variant("tiny")
    (bundle / "metrics.json").unlink()
    with pytest.raises(WeightsError, match=r"tiny lacks metrics\.json; restore its files"):
        variant("tiny")


def test_tiny_without_its_files_is_a_sentence(bundle):
    (bundle / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"config\.json cannot be read"):
        variant("tiny")


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(UnknownVariantError, match="'s13'; choose one of tiny, s12, s24, s36, m36, m48"):
        variant("s13")
    assert VARIANT_NAMES == ("tiny", "s12", "s24", "s36", "m36", "m48")
