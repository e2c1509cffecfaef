"""What is bundled: small enough, complete, and saying of itself what was measured."""

import json
import statistics
from pathlib import Path

import pytest

from poolformer.nn.cost import frozen_count, mac_count, parameter_count
from poolformer.nn.mixers import MIXERS
from poolformer.training.mixers_report import MixerRow, markdown
from poolformer.training.recipe import load_recipe
from poolformer.weights.checkpoint import load_checkpoint

ASSETS = Path(__file__).parents[1] / "assets"
RESULTS = json.loads((ASSETS / "mixers" / "results.json").read_text(encoding="utf-8"))
ROWS = {row["token_mixer"]: row for row in RESULTS["rows"]}


def test_all_of_it_is_small():
    sizes = {path: path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= 40e6
    assert sizes[ASSETS / "tiny" / "model.safetensors"] <= 12e6
    assert all(sizes[ASSETS / "mixers" / name / "model.safetensors"] <= 4e6 for name in MIXERS)


def test_no_picture_of_the_data_set_is_among_it():
    pictures = {path.relative_to(ASSETS).parts[0] for path in ASSETS.rglob("*") if path.suffix in (".jpg", ".jpeg")}
    assert pictures == {"examples"}


def test_the_comparison_had_the_same_recipe_and_three_seeds_for_each_mixer():
    assert list(ROWS) == list(MIXERS)
    assert all(len(row["top1"]) == 3 for row in ROWS.values())
    assert load_recipe("mixers").agrees_with(RESULTS["recipe"])
    assert RESULTS["train_images"] == 50_000
    assert RESULTS["test_images"] == 10_000


@pytest.mark.parametrize("name", MIXERS)
def test_the_table_counts_what_the_checkpoint_has(name):
    config = load_checkpoint(ASSETS / "mixers" / name).model.config
    size_px = RESULTS["recipe"]["image_size_px"]
    assert config.token_mixer == name
    assert ROWS[name]["parameters"] == parameter_count(config)
    assert ROWS[name]["frozen"] == frozen_count(config)
    assert ROWS[name]["macs"] == mac_count(config, size_px, size_px).total


@pytest.mark.parametrize("name", MIXERS)
def test_a_card_has_the_accuracy_of_the_first_seed(name):
    card = (ASSETS / "mixers" / name / "README.md").read_text(encoding="utf-8")
    assert f"| {ROWS[name]['top1'][0]:.2f}% |" in card


@pytest.mark.parametrize("name", MIXERS)
def test_the_readme_has_the_measured_accuracies(name):
    top1 = ROWS[name]["top1"]
    readme = (ASSETS.parent / "README.md").read_text(encoding="utf-8")
    assert f"| {name} | {statistics.fmean(top1):.2f} ± {statistics.stdev(top1):.2f} |" in readme


def test_the_page_is_made_of_the_results():
    fields = ("token_mixer", "top1", "parameters", "frozen", "macs", "images_per_second")
    rows = [MixerRow(**{field: row[field] for field in fields}) for row in RESULTS["rows"]]
    assert (ASSETS / "mixers" / "README.md").read_text(encoding="utf-8") == markdown(rows, RESULTS)
