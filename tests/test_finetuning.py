"""Training that starts from a checkpoint: a new head on its stages, and the best epoch kept."""

import dataclasses
import json

import pytest
import torch
from painted import OTHER_COLOURS, RECIPE, read_log, train, write_pictures, write_recipe
from safetensors.torch import load_file

from poolformer.errors import ConfigError, HubUnreachableError, ImageError
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.training import command, network
from poolformer.training.data import load_splits
from poolformer.training.loop import Trainer, accuracy
from poolformer.training.network import build_network, build_processor, choose_recipe
from poolformer.weights.checkpoint import load_checkpoint

BRISK = ("--epochs", "4", "--batch-size", "8", "--learning-rate", "5e-3")  # the base is a few thousand parameters


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A checkpoint that tells four colours apart, with a normalisation of its own."""
    folder = tmp_path_factory.mktemp("base")
    recipe = write_recipe(folder)
    assert train(write_pictures(folder / "pictures"), folder / "colours", "--recipe", recipe) == 0
    path = folder / "colours" / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "image_mean": [0.4, 0.5, 0.6]}))
    return folder / "colours"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("others"), 20, 10, OTHER_COLOURS)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, base, pictures):
    """The base fine-tuned by the bundled recipe to three other colours, never interrupted."""
    out = tmp_path_factory.mktemp("runs") / "tuned"
    assert train(pictures, out, "--init", base, *BRISK) == 0
    return out


@pytest.fixture
def recording(monkeypatch):
    """The weights at the end of every epoch, as a run saves them."""
    epochs, save = [], Trainer._save

    def save_and_record(self):
        epochs.append({key: value.clone() for key, value in self.model.state_dict().items()})
        save(self)

    monkeypatch.setattr(Trainer, "_save", save_and_record)
    return epochs


def load_metrics(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_the_result_knows_the_new_classes_far_better_than_chance(tuned):
    assert load_checkpoint(tuned).labels == ("cyan", "grey", "orange")
    assert load_metrics(tuned)["top1"] > 70  # chance is 33


def test_the_network_starts_as_the_checkpoint_but_for_its_head(base):
    checkpoint = load_checkpoint(base)
    model = build_network(choose_recipe(None, checkpoint), ("this", "that"), checkpoint)
    stored, started = checkpoint.model.state_dict(), model.state_dict()
    head = {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(started[key], stored[key]) for key in stored.keys() - head)
    assert started["classifier.weight"].shape == (2, 24)
    assert not started["classifier.bias"].any()
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.config.label2id == {"this": 0, "that": 1}
    assert model.config.depths == checkpoint.model.config.depths


def test_what_a_config_says_of_its_own_file_is_not_passed_on(base):
    checkpoint = load_checkpoint(base)
    checkpoint.model.config.extra.update(_name_or_path="there", torch_dtype="float16", kept="yes")
    config = build_network(choose_recipe(None, checkpoint), ("this", "that"), checkpoint).config
    assert config.extra["kept"] == "yes"
    assert not {"_name_or_path", "torch_dtype"} & config.extra.keys()


def test_input_size_and_normalisation_are_the_checkpoints(base, tuned):
    name = "preprocessor_config.json"
    assert json.loads((tuned / name).read_text()) == json.loads((base / name).read_text())
    assert choose_recipe(None, load_checkpoint(base)).image_size_px == 16


def test_a_recipe_may_ask_for_another_input_size(base, tmp_path):
    checkpoint = load_checkpoint(base)
    text = RECIPE.partition("[architecture]")[0].replace("image_size_px = 16", "image_size_px = 24")
    processor = build_processor(choose_recipe(str(write_recipe(tmp_path, text)), checkpoint), checkpoint)
    assert processor.size == {"shortest_edge": 24}
    assert processor.crop_size == {"height": 24, "width": 24}
    assert processor.image_mean == (0.4, 0.5, 0.6)


def test_a_recipe_with_an_architecture_is_refused(base, tmp_path):
    with pytest.raises(ConfigError, match=r"architecture of its own \(depths, hidden_sizes"):
        choose_recipe(str(write_recipe(tmp_path)), load_checkpoint(base))


def test_a_recipe_may_change_the_stochastic_depth(base, tmp_path):
    checkpoint = load_checkpoint(base)
    text = RECIPE.partition("[architecture]")[0] + "[architecture]\ndrop_path_rate = 0.3\n"
    recipe = choose_recipe(str(write_recipe(tmp_path, text)), checkpoint)
    assert build_network(recipe, ("this", "that"), checkpoint).config.drop_path_rate == 0.3


def test_without_a_checkpoint_the_recipe_is_tiny():
    assert choose_recipe(None, None).name == "tiny"


def test_a_processor_that_does_not_crop_is_refused(base):
    checkpoint = load_checkpoint(base)
    uncropped = dataclasses.replace(checkpoint.processor, do_center_crop=False)
    with pytest.raises(ImageError, match="does not crop"):
        choose_recipe(None, dataclasses.replace(checkpoint, processor=uncropped))


def test_a_network_for_grey_pictures_is_refused(base):
    grey = PoolFormerConfig(num_channels=1, depths=[1] * 4, hidden_sizes=[4] * 4)
    checkpoint = dataclasses.replace(load_checkpoint(base), model=PoolFormerForImageClassification(grey))
    with pytest.raises(ConfigError, match="num_channels is 1"):
        build_network(choose_recipe(None, checkpoint), ("this", "that"), checkpoint)


def test_the_log_has_validation_pictures_and_leaves_the_test_split_alone(tuned):
    log = read_log(tuned)
    assert len(log) == 4
    assert all(line["validation_top1"] and line["test_top1"] == "" for line in log)
    assert {key: load_metrics(tuned)[key] for key in ("train_images", "validation_images", "images")} == {
        "train_images": 54,
        "validation_images": 6,
        "images": 30,
    }


def test_the_best_epoch_is_exported(tmp_path, base, pictures, recording, monkeypatch):
    top1 = iter([70.0, 40.0, 70.0, 50.0])
    monkeypatch.setattr(Trainer, "_measure", lambda *_: {"validation_top1": next(top1)})
    assert train(pictures, tmp_path / "out", "--init", base, *BRISK) == 0
    exported = load_file(tmp_path / "out" / "model.safetensors")
    same = [all(torch.equal(exported[key], epoch[key]) for key in exported) for epoch in recording]
    assert same == [False, False, True, False]  # the latest of the two best
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "those of epoch 3, the best on 6 other pictures of the training split (70.00%)" in card


def test_the_exported_weights_score_what_the_log_says_of_the_best_epoch(tuned, pictures):
    checkpoint = load_checkpoint(tuned)
    recipe = choose_recipe(None, checkpoint)
    validation = load_splits(pictures, checkpoint.processor, recipe.validation_fraction, recipe.seed).validation
    best = max(float(line["validation_top1"]) for line in read_log(tuned))
    assert accuracy(checkpoint.model, validation, checkpoint.processor) == pytest.approx(best)


@pytest.mark.parametrize("best", [1, 3], ids=["best before the crash", "best after it"])
def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path, base, pictures, monkeypatch, best):
    measured = {epoch: 40.0 + 10 * (epoch == best) for epoch in range(1, 5)}
    monkeypatch.setattr(Trainer, "_measure", lambda self, _: {"validation_top1": measured[len(self.history) + 1]})
    assert train(pictures, tmp_path / "straight", "--init", base, *BRISK) == 0
    save = Trainer._save

    def save_and_crash(self):
        save(self)
        if len(self.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_save", save_and_crash)
    with pytest.raises(KeyboardInterrupt):
        train(pictures, tmp_path / "out", "--init", base, *BRISK)
    monkeypatch.setattr(Trainer, "_save", save)
    assert train(pictures, tmp_path / "out", "--init", base, *BRISK) == 0
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("straight", "out"))
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_a_run_from_another_checkpoint_is_not_continued(tmp_path, base, tuned, pictures, monkeypatch, capsys):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "export_checkpoint", crash)
        with pytest.raises(KeyboardInterrupt):
            train(pictures, tmp_path / "out", "--init", base, "--epochs", "1")
    assert train(pictures, tmp_path / "out", "--init", tuned, "--epochs", "1") == 1
    assert "another --init;" in capsys.readouterr().err


def test_the_checkpoint_that_a_run_starts_from_is_not_overwritten(base, pictures, capsys):
    before = (base / "model.safetensors").read_bytes()
    assert train(pictures, base, "--init", base) == 1
    assert "holds a finished model" in capsys.readouterr().err
    assert (base / "model.safetensors").read_bytes() == before


def test_the_card_says_what_was_fine_tuned_on_what(tuned, pictures):
    card = (tuned / "README.md").read_text(encoding="utf-8")
    assert f"# finetune: colours fine-tuned on {pictures.name}" in card
    assert "from the weights of colours, with a new head" in card
    assert "base_model" not in card  # it has no page on the Hub


def test_the_card_links_to_a_published_base(tmp_path, base, pictures, monkeypatch):
    published = dataclasses.replace(load_checkpoint(base), name="s12", source="cache")
    monkeypatch.setattr(network, "load_checkpoint", lambda _: published)
    assert train(pictures, tmp_path / "out", "--init", "s12", "--epochs", "1") == 0
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "\nbase_model: sail/poolformer_s12\n---\n" in card
    assert "from the weights of s12 (sail/poolformer_s12), with a new head" in card


def test_a_run_starts_from_any_repository(tmp_path, base, pictures, monkeypatch):
    asked = []
    monkeypatch.setattr(network, "fetch_snapshot", lambda repo_id: asked.append(repo_id) or base)
    assert train(pictures, tmp_path / "out", "--init", "me/colours", "--epochs", "1") == 0
    assert asked == ["me/colours"]
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "\nbase_model: me/colours\n---\n" in card
    assert "from the weights of me/colours, with a new head" in card


def test_a_start_that_is_nothing_is_refused(tmp_path, pictures, capsys):
    assert train(pictures, tmp_path / "out", "--init", "s13") == 1
    assert "no variant or folder 's13'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_result_is_uploaded_without_the_state_of_its_run(tmp_path, base, pictures, monkeypatch, capsys):
    uploads = []

    def push(repo_id, folder, **_):
        uploads.append((repo_id, {path.name for path in folder.iterdir()}))
        return "address of the commit"

    monkeypatch.setattr(command, "push_folder", push)
    options = ("--init", base, "--epochs", "1", "--push-to-hub", "me/colours")
    assert train(pictures, tmp_path / "out", *options) == 0
    [(repo_id, files)] = uploads
    assert repo_id == "me/colours"
    assert {"model.safetensors", "config.json", "preprocessor_config.json", "README.md", "curve.png"} <= files
    assert "training.pt" not in files
    assert "address of the commit" in capsys.readouterr().out


def test_a_failed_upload_keeps_the_model_and_says_how_to_go_on(tmp_path, base, pictures, monkeypatch, capsys):
    def push(*_, **__):
        raise HubUnreachableError("me/colours cannot be uploaded: no network.")

    monkeypatch.setattr(command, "push_folder", push)
    out = tmp_path / "out"
    assert train(pictures, out, "--init", base, "--epochs", "1", "--push-to-hub", "me/colours") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("poolformer: me/colours cannot be uploaded: no network.")
    assert f"`hf upload me/colours {out.as_posix()}` uploads it later" in error
    assert load_checkpoint(out).labels == ("cyan", "grey", "orange")
