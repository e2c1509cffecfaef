"""The comparison of token mixers: what it trains, what it writes, how it goes on after an interruption."""

import json
import re
import statistics

import pytest
from painted import MUON_RECIPE, write_pictures, write_recipe
from safetensors.torch import load_file

from poolformer.__main__ import main
from poolformer.nn.mixers import MIXERS
from poolformer.training import mixers
from poolformer.training.loop import Trainer
from poolformer.training.mixers_report import MixerRow, markdown
from poolformer.weights.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return write_recipe(tmp_path_factory.mktemp("recipe"), MUON_RECIPE)


def compare(pictures, recipe, out):
    options = ["--data", pictures, "--out", out, "--recipe", recipe, "--epochs", 1, "--seeds", 2]
    return main(["mixers", *map(str, options)])


@pytest.fixture(scope="module")
def compared(tmp_path_factory, pictures, recipe):
    out = tmp_path_factory.mktemp("runs") / "compared"
    assert compare(pictures, recipe, out) == 0
    return out


def read_results(folder):
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def test_every_mixer_has_a_row_and_a_checkpoint_of_its_own(compared):
    rows = read_results(compared)["rows"]
    assert [row["token_mixer"] for row in rows] == list(MIXERS)
    for row in rows:
        model = load_checkpoint(compared / row["token_mixer"]).model
        assert model.config.token_mixer == row["token_mixer"]
        assert row["parameters"] == model.num_parameters()
        assert row["images_per_second"] > 0
    assert not (compared / "runs").exists()


def test_the_kept_checkpoint_is_the_first_seeds(compared, pictures, capsys):
    for row in read_results(compared)["rows"]:
        checkpoint = str(compared / row["token_mixer"])
        assert main(["evaluate", "--data", str(pictures), "--checkpoint", checkpoint, "--json"]) == 0
        assert json.loads(capsys.readouterr().out.strip())["top1"] == row["top1"][0]


def test_mean_and_spread_are_those_of_the_seeds(compared):
    for row in read_results(compared)["rows"]:
        assert len(row["top1"]) == 2
        assert row["mean"] == pytest.approx(statistics.fmean(row["top1"]), abs=0.006)
        low, high = sorted(row["top1"])
        assert row["spread"] == pytest.approx((high - low) / 2**0.5)


def test_the_page_has_the_numbers_of_the_file(compared):
    page, results = (compared / "README.md").read_text(encoding="utf-8"), read_results(compared)
    assert results["command"] in page
    assert results["date"] in page
    for row in results["rows"]:
        accuracy = f"{row['mean']:.2f} ± {row['spread']:.2f}"
        assert re.search(rf"^\| {row['token_mixer']} \| {re.escape(accuracy)} \|.*{row['parameters']:,}", page, re.M)


def test_the_card_names_the_token_mixer(compared):
    card = (compared / "attention" / "README.md").read_text(encoding="utf-8")
    assert "# small-attention: a MetaFormer with the token mixer attention trained on" in card


def test_an_interrupted_comparison_trains_only_what_is_missing(tmp_path, monkeypatch, pictures, recipe, compared):
    run, trained = mixers.run_recipe, []

    def run_four(recipe, *rest):
        if len(trained) == 4:
            raise KeyboardInterrupt
        trained.append(recipe.name)
        return run(recipe, *rest)

    monkeypatch.setattr(mixers, "run_recipe", run_four)
    with pytest.raises(KeyboardInterrupt):
        compare(pictures, recipe, tmp_path / "out")
    epochs, train_epoch = [], Trainer._train_epoch
    monkeypatch.setattr(mixers, "run_recipe", run)
    monkeypatch.setattr(Trainer, "_train_epoch", lambda self, *rest: epochs.append(1) or train_epoch(self, *rest))
    assert compare(pictures, recipe, tmp_path / "out") == 0
    assert len(epochs) == 2 * len(MIXERS) - 4
    for mixer in MIXERS:
        expected, found = (load_file(folder / mixer / "model.safetensors") for folder in (compared, tmp_path / "out"))
        assert all(expected[key].equal(found[key]) for key in expected)


def test_a_finished_comparison_is_refused_and_left_alone(pictures, recipe, compared, capsys):
    before = (compared / "results.json").read_bytes()
    assert compare(pictures, recipe, compared) == 1
    assert "holds a finished comparison; choose another --out" in capsys.readouterr().err
    assert (compared / "results.json").read_bytes() == before


def test_no_run_at_all_is_refused(tmp_path, pictures, capsys):
    assert main(["mixers", "--data", str(pictures), "--out", str(tmp_path / "out"), "--seeds", "0"]) == 1
    assert "--seeds is 0; each mixer needs at least 1 run." in capsys.readouterr().err


def test_a_single_seed_has_no_spread():
    facts = {
        "recipe": {"epochs": 1, "image_size_px": 32, "name": "small"},
        "dataset": "D",
        "train_images": 1,
        "test_images": 1,
        "date": "2026-01-01",
        "command": "c",
        "machine": "m",
    }
    row = MixerRow("pooling", [50.0], 10, 0, 10**6, 5.0)
    assert row.spread is None
    assert "| pooling | 50.00 | 50.00 | 10 | 1.0 | 5 |" in markdown([row], facts)
