"""The training command and its parts, on pictures made here and a network of a few thousand parameters."""

import dataclasses
import datetime
import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from painted import MUON_RECIPE, RECIPE, SIZE_PX, read_log, train, write_pictures, write_recipe
from PIL import Image
from safetensors.torch import load_file

from poolformer.__main__ import main
from poolformer.errors import ConfigError, ImageError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.training import data as data_module
from poolformer.training.data import augment, load_split, load_splits, normalise
from poolformer.training.files import list_split
from poolformer.training.loop import Trainer
from poolformer.training.recipe import load_recipe
from poolformer.weights.checkpoint import load_checkpoint

FILES = {"README.md", "config.json", "curve.png", "log.csv", "metrics.json", "model.safetensors"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """One test picture is in the wrong folder, so that no network gets them all right."""
    data = write_pictures(tmp_path_factory.mktemp("pictures"))
    shutil.copy(data / "test" / "red" / "000.png", data / "test" / "blue" / "000.png")
    return data


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return write_recipe(tmp_path_factory.mktemp("recipe"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, pictures, recipe):
    """A finished run of three epochs, never interrupted."""
    out = tmp_path_factory.mktemp("runs") / "trained"
    assert train(pictures, out, "--recipe", recipe) == 0
    return out


@pytest.fixture
def processor():
    size = {"height": SIZE_PX, "width": SIZE_PX}
    return PoolFormerImageProcessorPil(size={"shortest_edge": SIZE_PX}, crop_size=size, crop_pct=1.0)


def interrupted_after_one_epoch(monkeypatch, *args, epochs=1):
    """The run up to the moment when the first epoch's state has been saved, or that of another."""
    save = Trainer._save

    def save_and_crash(self):
        save(self)
        if len(self.history) == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_save", save_and_crash)
    with pytest.raises(KeyboardInterrupt):
        train(*args)
    monkeypatch.setattr(Trainer, "_save", save)


def assert_same_weights(one, other):
    expected, found = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def load_metrics(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


# --- what a run leaves behind


def test_a_run_learns_and_leaves_a_checkpoint_and_what_belongs_to_it(trained):
    assert {path.name for path in trained.iterdir()} == {*FILES, "preprocessor_config.json"}
    assert json.loads((trained / "metrics.json").read_text())["top1"] > 60  # chance is 25
    assert load_checkpoint(trained).labels == ("blue", "green", "red", "yellow")


def test_transformers_opens_the_result_with_the_same_logits(trained):
    x = torch.randn(3, 3, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(0))
    oracle = transformers.PoolFormerForImageClassification.from_pretrained(trained).eval()
    with torch.inference_mode():
        torch.testing.assert_close(load_checkpoint(trained).model(x).logits, oracle(x).logits, atol=1e-5, rtol=1e-5)
    assert oracle.config.id2label == {0: "blue", 1: "green", 2: "red", 3: "yellow"}


def test_the_log_has_a_line_for_every_epoch(trained):
    log = read_log(trained)
    assert [line["epoch"] for line in log] == ["1", "2", "3"]
    assert float(log[-1]["train_loss"]) < float(log[0]["train_loss"])
    assert all(line["validation_top1"] == "" for line in log)
    assert float(log[-1]["test_top1"]) == pytest.approx(load_metrics(trained)["top1"], abs=0.01)


def test_the_curve_is_a_picture(trained):
    with Image.open(trained / "curve.png") as curve:
        assert curve.format == "PNG"
        assert curve.width > curve.height > 100


def test_the_card_says_what_was_done_in_the_words_of_whoever_did_it(tmp_path, monkeypatch):
    write_pictures(tmp_path / "pictures", train=4, test=2)
    write_recipe(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert train("pictures", "out/model", "--recipe", "small.toml", "--epochs", "1") == 0
    card, metrics = (tmp_path / "out/model/README.md").read_text(encoding="utf-8"), load_metrics(tmp_path / "out/model")
    command = "python -m poolformer train --data pictures --out out/model --recipe small.toml --epochs 1"
    assert metrics["command"] == command
    for part in (
        command,
        f"| {metrics['top1']:.2f}% |",
        datetime.date.today().isoformat(),
        "A. Painter: Paper and where it dries.",
        "random weights",
        "blue, green, red, yellow",
    ):
        assert part in card
    assert str(tmp_path) not in card + json.dumps(metrics)


# --- interrupted, refused


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path, monkeypatch, pictures, recipe, trained):
    out = tmp_path / "out"
    interrupted_after_one_epoch(monkeypatch, pictures, out, "--recipe", recipe)
    assert [line["epoch"] for line in read_log(out)] == ["1"]
    assert train(pictures, out, "--recipe", recipe) == 0
    assert_same_weights(trained, out)
    assert not (out / "training.pt").exists()


def test_an_interrupted_muon_run_ends_as_one_that_was_not(tmp_path, monkeypatch, pictures):
    recipe = write_recipe(tmp_path, MUON_RECIPE)
    assert train(pictures, tmp_path / "whole", "--recipe", recipe) == 0
    interrupted_after_one_epoch(monkeypatch, pictures, tmp_path / "resumed", "--recipe", recipe)
    assert train(pictures, tmp_path / "resumed", "--recipe", recipe) == 0
    assert_same_weights(tmp_path / "whole", tmp_path / "resumed")


def test_a_state_without_the_later_fields_continues(tmp_path, monkeypatch, pictures, recipe, trained):
    out = tmp_path / "out"
    interrupted_after_one_epoch(monkeypatch, pictures, out, "--recipe", recipe)
    state = torch.load(out / "training.pt", weights_only=True)
    del state["circumstances"], state["best"], state["recipe"]["validation_fraction"]
    del state["history"][0]["validation_top1"]
    torch.save(state, out / "training.pt")
    assert train(pictures, out, "--recipe", recipe) == 0
    assert_same_weights(trained, out)


@pytest.mark.parametrize(
    ("option", "named"), [(("--learning-rate", "1e-3"), "recipe"), (("--precision", "bfloat16"), "--precision")]
)
def test_another_run_in_the_same_folder_is_refused(tmp_path, monkeypatch, pictures, recipe, capsys, option, named):
    out = tmp_path / "out"
    interrupted_after_one_epoch(monkeypatch, pictures, out, "--recipe", recipe)
    before = (out / "training.pt").read_bytes()
    capsys.readouterr()
    assert train(pictures, out, "--recipe", recipe, *option) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"another {named};" in error
    assert "choose another --out" in error
    assert (out / "training.pt").read_bytes() == before


def test_other_classes_in_a_started_run_are_refused(tmp_path, monkeypatch, recipe, capsys):
    data, out = write_pictures(tmp_path / "data", train=4, test=1), tmp_path / "out"
    interrupted_after_one_epoch(monkeypatch, data, out, "--recipe", recipe)
    for split in ("train", "test"):
        (data / split / "blue").rename(data / split / "azure")
    assert train(data, out, "--recipe", recipe) == 1
    assert "another list of classes" in capsys.readouterr().err


def test_a_finished_folder_is_refused_and_left_alone(trained, pictures, recipe, capsys):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    assert train(pictures, trained, "--recipe", recipe) == 1
    assert "holds a finished model" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


# --- evaluation


def test_the_card_claims_no_data_set_whose_classes_are_others(tmp_path, monkeypatch):
    write_pictures(tmp_path / "pictures", train=4, test=2)
    recipe = write_recipe(tmp_path)
    recipe.write_text(recipe.read_text() + 'classes = ["cat", "dog"]\n')
    monkeypatch.chdir(tmp_path)
    assert train("pictures", "model", "--recipe", "small.toml", "--epochs", "1") == 0
    card = (tmp_path / "model/README.md").read_text(encoding="utf-8")
    assert "trained on pictures" in card
    assert "Painted Paper" not in card
    assert "A. Painter" not in card


def test_evaluate_prints_the_number_on_the_card(trained, pictures, capsys):
    assert main(["evaluate", "--data", str(pictures), "--checkpoint", str(trained), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"checkpoint": str(trained), "images": 24, "top1": load_metrics(trained)["top1"]}
    assert main(["evaluate", "--data", str(pictures), "--checkpoint", str(trained)]) == 0
    assert f"top-1 {printed['top1']:.2f}% on 24 test pictures" in capsys.readouterr().out


def test_evaluate_refuses_other_classes(tmp_path, trained, capsys):
    data = write_pictures(tmp_path, train=1, test=1)
    (data / "test" / "blue").rename(data / "test" / "azure")
    assert main(["evaluate", "--data", str(data), "--checkpoint", str(trained)]) == 1
    assert "same names in the same order" in capsys.readouterr().err


# --- pictures from a folder


def test_a_split_is_read_in_the_order_of_names(tmp_path, processor):
    data = write_pictures(tmp_path, train=2, test=1)
    split = load_split(data, "train", processor)
    assert split.classes == ("blue", "green", "red", "yellow")
    assert split.targets.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    with Image.open(data / "train" / "green" / "001.png") as picture:
        assert torch.equal(split.images[3], torch.from_numpy(np.array(picture)).permute(2, 0, 1))


def test_hidden_files_and_folders_are_no_pictures(tmp_path, processor):
    data = write_pictures(tmp_path, train=2, test=1)
    (data / "test" / ".thumbnails").mkdir()
    (data / "test" / "red" / ".DS_Store").write_bytes(b"\0")
    assert len(load_split(data, "test", processor)) == 4


def test_a_folder_that_is_not_there_is_refused_with_the_layout(tmp_path, processor):
    with pytest.raises(ImageError, match=r"\{train,test\}/<class>/<picture>"):
        load_split(tmp_path, "train", processor)


def test_an_empty_class_is_named(tmp_path, processor):
    data = write_pictures(tmp_path, train=1, test=1)
    (data / "train" / "grey").mkdir()
    with pytest.raises(ImageError, match="grey holds no pictures"):
        load_split(data, "train", processor)


def test_a_broken_file_is_named_with_its_class(tmp_path, processor):
    data = write_pictures(tmp_path, train=2, test=1)
    path = data / "train" / "red" / "001.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ImageError, match=r"In train/red: 001\.png is truncated"):
        load_split(data, "train", processor)


def test_train_and_test_need_the_same_classes(tmp_path, processor):
    data = write_pictures(tmp_path, train=1, test=1)
    (data / "test" / "blue").rename(data / "test" / "azure")
    with pytest.raises(ImageError, match=r"different classes in train and test \(azure, blue\)"):
        load_splits(data, processor, 0.0, seed=0)


def test_more_pictures_than_memory_are_refused_before_one_is_read(pictures, processor, monkeypatch):
    needed = (48 + 24) * 3 * SIZE_PX**2
    monkeypatch.setattr(data_module, "MEMORY_BUDGET_BYTES", needed - 1)
    monkeypatch.setattr(data_module, "decode_image", None)
    with pytest.raises(ImageError, match="72 pictures of 16 x 16 pixels take"):
        load_splits(pictures, processor, 0.0, seed=0)


def test_the_memory_budget_itself_is_enough(pictures, processor, monkeypatch):
    monkeypatch.setattr(data_module, "MEMORY_BUDGET_BYTES", (48 + 24) * 3 * SIZE_PX**2)
    splits = load_splits(pictures, processor, 0.0, seed=0)
    assert (len(splits.train), splits.validation, len(splits.test)) == (48, None, 24)


def test_a_validation_split_is_drawn_from_each_class_by_the_seed(pictures):
    files = list_split(pictures, "train")
    rest, part = files.divided(0.25, seed=1)
    assert [part.targets.count(i) for i in range(4)] == [3, 3, 3, 3]
    assert sorted(rest.paths + part.paths) == sorted(files.paths)
    assert all(path.parent.name == files.classes[i] for path, i in zip(part.paths, part.targets, strict=True))
    assert files.divided(0.25, seed=1)[1] == part
    assert files.divided(0.25, seed=2)[1] != part


def test_too_few_pictures_for_a_validation_split_are_refused(pictures):
    with pytest.raises(ImageError, match="cannot be set aside"):
        list_split(pictures, "train").divided(0.01, seed=0)


# --- normalisation and augmentation


@pytest.mark.parametrize(
    "options",
    [{}, {"image_mean": 0.5, "image_std": 0.25}, {"do_rescale": False}, {"do_normalize": False}],
    ids=["default", "one number", "not rescaled", "not normalised"],
)
def test_normalisation_is_the_processors(processor, options):
    processor = dataclasses.replace(processor, **options)
    picture = np.random.default_rng(0).integers(0, 256, (SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    expected = processor(Image.fromarray(picture), return_tensors="pt").pixel_values
    found = normalise(torch.from_numpy(picture).permute(2, 0, 1)[None], processor)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-6)


def noise(B, H=7, W=6):
    return torch.rand(B, 2, H, W, generator=torch.Generator().manual_seed(5)) + 1  # never 0


def test_without_shift_and_cutout_a_picture_is_only_flipped():
    x = noise(64)
    result = augment(x, 0, 0, torch.Generator().manual_seed(0))
    flipped = [torch.equal(after, before.flip(-1)) for before, after in zip(x, result, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(x, result, strict=True)]
    assert [not k for k in kept] == flipped
    assert 16 < sum(flipped) < 48  # of 64 coins: 4 standard deviations around a half


def test_a_shift_moves_the_picture_over_its_mirrored_border():
    x = noise(64)
    result = augment(x, 2, 0, torch.Generator().manual_seed(0))
    seen = set()
    for before, after in zip(x.numpy(), result.numpy(), strict=True):
        for flip, source in ((False, before), (True, before[..., ::-1])):
            padded = np.pad(source, ((0, 0), (2, 2), (2, 2)), mode="reflect")
            places = [(y, x) for y in range(5) for x in range(5) if (padded[:, y : y + 7, x : x + 6] == after).all()]
            seen |= {(flip, *place) for place in places}
            if places:
                break
        else:
            pytest.fail("a picture is no window of itself")
    assert {place[1] for place in seen} == {place[2] for place in seen} == set(range(5))
    assert {place[0] for place in seen} == {True, False}


def test_a_shift_of_known_draws(monkeypatch):
    draws = iter([torch.tensor([[[2]], [[0]]]), torch.zeros(1, 1, 1, 1).long(), torch.zeros(1, 1, 1, 1).long()])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: next(draws))
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.ones(1, 1, 1, 1))  # at least 0.5: no flip
    x = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])[None, None]
    result = augment(x, 1, 0, torch.Generator())
    # The window starts two rows and no column into the picture with its mirrored border of one pixel.
    assert result[0, 0].tolist() == [[5, 4, 5], [8, 7, 8], [5, 4, 5]]


def test_cutout_hides_one_square_clipped_at_the_border():
    result = augment(torch.ones(200, 2, 7, 6), 0, 3, torch.Generator().manual_seed(0))
    hidden = result[:, 0] == 0
    assert torch.equal(hidden, result[:, 1] == 0)
    sides = set()
    for mask in hidden:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])
        sides.add((int(rows.sum()), int(columns.sum())))
        assert rows.nonzero().flatten().diff().tolist() == [1] * (int(rows.sum()) - 1)
    assert sides == {(3, 3), (2, 3), (3, 2), (2, 2)}  # a centre at the border leaves 2 of 3


def test_augmentation_is_drawn_from_its_generator():
    x = noise(8)
    once, again, other = (augment(x, 2, 3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


# --- schedule and decay


# --- recipes


@pytest.mark.parametrize("name", ["tiny", "finetune", "mixers"])
def test_bundled_recipes_can_be_used(name):
    recipe = load_recipe(name, {"image_size_px": 224})
    assert recipe.name == name
    assert (recipe.validation_fraction > 0) == (name == "finetune")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECIPE.replace("epochs = 3", "epochs = 0"), "epochs is 0; it must be above 0"),
        (RECIPE.replace("shift_px = 2", "shift_px = 16"), "shift_px is 16; it must be below image_size_px"),
        (RECIPE.replace("seed = 0", "seed = 0\nvalidation_fraction = 1.0"), "validation_fraction is 1.0"),
        (MUON_RECIPE.replace("0.02", "-0.02"), "muon_learning_rate is -0.02; it must be at least 0"),
        (RECIPE.replace("seed = 0", "speed = 0"), r"unknown keys \['speed'\], missing keys \['seed'\]"),
        ("name = ", "small.toml is not valid TOML"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_recipe(str(write_recipe(tmp_path, text)))


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="finetune, mixers, tiny"):
        load_recipe("nothing")


def test_an_override_replaces_a_value_and_none_does_not(recipe):
    assert load_recipe(str(recipe), epochs=7, seed=None) == dataclasses.replace(load_recipe(str(recipe)), epochs=7)


def test_a_restarted_cycle_rises_to_half_the_peak_and_resumes_as_if_never_interrupted(tmp_path, monkeypatch):
    data = write_pictures(tmp_path / "pictures", train=8, test=2)
    recipe = write_recipe(tmp_path, RECIPE.replace("epochs = 3\n", "epochs = 4\nrestarts = [2]\n"))
    assert train(data, tmp_path / "whole", "--recipe", recipe) == 0
    for epoch in (1, 2, 3):  # before, at and after the restart
        out = tmp_path / f"resumed{epoch}"
        interrupted_after_one_epoch(monkeypatch, data, out, "--recipe", recipe, epochs=epoch)
        assert train(data, out, "--recipe", recipe) == 0
        assert_same_weights(tmp_path / "whole", out)
    rates = [float(row["learning_rate"]) for row in read_log(tmp_path / "whole")]
    assert rates[1] < rates[0]
    assert rates[3] < rates[2]
    assert load_recipe(str(recipe)).cycle_of(1) == (0, 2, 1)
    assert load_recipe(str(recipe)).cycle_of(3) == (2, 4, 0.5)
    assert load_recipe(str(recipe), epochs=2).cycle_of(1) == (0, 2, 1)
