"""The page's components without a browser: what their values hold, and where their files lie."""

import json
import shutil
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from poolformer.inspection.pack import decode_pack
from poolformer.service import PoolFormerService
from poolformer.ui.component import STATIC_DIR
from poolformer.ui.download import Download
from poolformer.ui.example_picker import ExamplePicker
from poolformer.ui.message import info
from poolformer.ui.outcome import outcome_value
from poolformer.ui.stage_explorer import StageExplorer


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty folder as Gradio's cache."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return tmp_path / "gradio"


@pytest.fixture(scope="module")
def run():
    return PoolFormerService().run(Path(__file__).parents[1] / "assets" / "examples" / "cat.jpg", "tiny")


def test_the_explorers_value_names_a_pack_of_the_run(cache, run):
    value = StageExplorer().value_of(run, "CIFAR-10", "cat")
    path = Path(value["pack"]["path"])
    assert path.is_relative_to(cache)
    assert len(path.parent.name) == 64  # nobody can guess it
    pack = decode_pack(path.read_bytes())
    assert pack.variant == value["variant"] == "tiny"
    np.testing.assert_array_equal(pack.picture, run.picture)
    np.testing.assert_array_equal(pack.contributions, run.evidence.channels)
    assert (value["variant_note"], value["example"]) == ("tiny · CIFAR-10", "cat")


def test_the_explorers_value_describes_stages_and_classes(cache, run):
    del cache
    value = json.loads(json.dumps(StageExplorer().value_of(run, "", None), allow_nan=False))
    assert (value["variant_note"], value["example"]) == ("tiny", None)
    first = value["stages"][0]
    assert (first["channels"], first["height"], first["width"]) == run.stages[0].shape
    assert set(first) == {
        *("channels", "height", "width"),
        *("stride_px", "receptive_field_px", "start_px", "pool_size"),
    }
    assert len(value["stages"]) == 4
    assert [entry["label"] for entry in value["classes"]] == [p.label for p in run.classification.predictions]
    scores = np.exp([entry["logit"] for entry in value["classes"]])
    probabilities = [entry["probability"] for entry in value["classes"]]
    np.testing.assert_allclose(scores / scores[0], np.array(probabilities) / probabilities[0], rtol=1e-4)
    for entry, channels in zip(value["classes"], run.evidence.channels, strict=True):
        assert channels.sum() + entry["bias"] == pytest.approx(entry["logit"], abs=1e-4)


def test_the_same_run_shares_one_whole_file_and_is_drawn_again(cache, run):
    explorer = StageExplorer()
    first, second = explorer.value_of(run, "", None), explorer.value_of(run, "", None)
    assert first["pack"] == second["pack"]
    assert first["revision"] != second["revision"]
    assert [path for path in cache.rglob("*") if path.is_file()] == [Path(first["pack"]["path"])]


def test_an_older_file_that_is_shown_again_is_young_again(cache):
    """Gradio removes files by the time of their last change of any kind."""
    del cache
    component = Download()
    path = Path(component.value_of(b"content", "a.npz")["file"]["path"])
    before = path.stat()
    component.value_of(b"content", "a.npz")
    assert path.stat().st_ino != before.st_ino
    assert path.read_bytes() == b"content"


def test_a_folder_of_scripts_is_one_script_in_the_order_of_the_names():
    scripts = sorted((STATIC_DIR / "stage_explorer").glob("*.js"))
    script = StageExplorer().js_on_load
    places = [script.index(path.read_text(encoding="utf-8")) for path in scripts]
    assert places == sorted(places)
    assert len(script) == sum(len(path.read_text(encoding="utf-8")) for path in scripts) + len(scripts) - 1


def test_a_picture_is_an_example_by_its_bytes_and_not_by_its_name(cache, cat, tmp_path):
    examples = ExamplePicker()
    copy, impostor = tmp_path / "holiday.jpg", tmp_path / "cat.jpg"
    shutil.copy(cat, copy)
    content = bytearray(cat.read_bytes())
    content[-3] ^= 1
    impostor.write_bytes(content)
    assert examples.name_of(str(copy)) == "cat"
    assert examples.name_of(str(impostor)) is None
    linked = Path(examples.linked("cat"))
    assert linked.is_relative_to(cache)
    assert linked.read_bytes() == cat.read_bytes()


@pytest.mark.parametrize("name", [None, "", "cat, rendered", "../cat", "CAT", "zebra"])
def test_a_link_to_no_example_is_no_picture(name):
    assert ExamplePicker().linked(name) is None


@pytest.mark.parametrize("data", [None, {}, {"index": "1"}, {"index": -1}, {"index": 99}, {"index": 0.5}, [3]])
def test_an_event_that_names_no_example_is_no_picture(data):
    assert ExamplePicker().chosen(gr.EventData(None, data)) is None


def test_an_outcome_holds_the_labels_as_their_component_takes_them():
    labels = gr.Label(num_top_classes=2)
    value = outcome_value("/a/cat.jpg", labels, {"cat": 0.7, "dog": 0.3}, info("fine"), None)
    assert value["mark"] == "/a/cat.jpg"
    assert value["labels"] == {
        "label": "cat",
        "confidences": [{"label": "cat", "confidence": 0.7}, {"label": "dog", "confidence": 0.3}],
    }
    assert value["explorer"] is None
    assert outcome_value(None, labels, None, info("none"), None)["labels"] == {}
