"""What the page's handlers return, called without a browser."""

import asyncio
import io
import json
import re
import shutil
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch
from gradio.state_holder import SessionState
from PIL import Image

from poolformer.service import PoolFormerService
from poolformer.ui.download import Download
from poolformer.ui.example_picker import ExamplePicker
from poolformer.ui.guarded import is_upload
from poolformer.ui.handlers import NO_PICTURE, Handlers
from poolformer.ui.layout import Parts
from poolformer.ui.message import Message
from poolformer.ui.page import build_demo
from poolformer.ui.picture import Picture
from poolformer.ui.settings import MAX_THREADS, MAX_WAITING
from poolformer.ui.stage_explorer import StageExplorer
from poolformer.ui.variant_picker import VariantPicker
from poolformer.weights.variants import variant

SKIPPED = gr.skip()


@pytest.fixture
def service(tmp_path, monkeypatch) -> PoolFormerService:
    """Two variants at hand, "twin" and tiny, and no network; Gradio's cache is an empty folder."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    shutil.copytree(variant("tiny").folder, tmp_path / "twin")
    return PoolFormerService(
        cache_dir=tmp_path / "hub", endpoint="http://127.0.0.1:9", own_checkpoint=tmp_path / "twin"
    )


@pytest.fixture
def handlers(service) -> Handlers:
    parts = Parts(
        Picture(), ExamplePicker(), gr.Label(num_top_classes=5), Message(), VariantPicker(), StageExplorer(), Download()
    )
    return Handlers(service, parts)


def visitor(**parameters: str) -> SimpleNamespace:
    """The request of somebody who opens the page with these parameters in the address."""
    return SimpleNamespace(query_params=parameters)


def in_a_loop(call: Callable[[], Coroutine[None, None, None]]) -> None:
    """Runs all of a test that builds a page, since Gradio's Blocks take the event loop that they are built in.

    In a thread of its own, since the browser of other tests may have a loop running in this.
    """
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(call())).result()


def picked(name: object) -> gr.EventData:
    return gr.EventData(None, {"name": name})


def export_event(file_format: object) -> gr.EventData:
    return gr.EventData(None, {"format": file_format})


def test_a_run_fills_all_that_is_seen(handlers, cat):
    outcome = handlers.run(str(cat), "tiny", "", "the mark")
    assert outcome["mark"] == "the mark"
    assert len(outcome["labels"]["confidences"]) == 5
    assert outcome["message"]["text"].startswith("tiny · 32 × 32 pixels · forward pass ")
    assert outcome["explorer"]["variant"] == "tiny"
    assert outcome["explorer"]["example"] == "cat"


def test_a_visitors_own_picture_has_no_name(handlers, cat, tmp_path):
    own = tmp_path / "cat.jpg"
    own.write_bytes(cat.read_bytes() + b"\n")
    assert handlers.run(str(own), "tiny", "", None)["explorer"]["example"] is None


def test_no_picture_and_a_bad_one_show_nothing(handlers, tmp_path):
    bad = tmp_path / "holiday.jpg"
    bad.write_text("<html>")
    for path, kind, sentence in ((None, "info", NO_PICTURE), (str(bad), "problem", "holiday.jpg is no picture")):
        outcome = handlers.run(path, "tiny", "", None)
        assert (outcome["labels"], outcome["explorer"]) == ({}, None)
        assert outcome["message"]["kind"] == kind
        assert outcome["message"]["text"].startswith(sentence)


def test_activations_that_are_not_finite_show_a_sentence_and_nothing_else(handlers, cat):
    with torch.inference_mode():
        handlers.service.prepare("tiny").network.stages.blocks[0][0].conv2.bias[0] = float("inf")
    outcome = handlers.run(str(cat), "tiny", "", None)
    assert (outcome["labels"], outcome["explorer"]) == ({}, None)
    assert "no finite numbers" in outcome["message"]["text"]


def test_picking_a_row_selects_it_or_says_why_not(handlers):
    table, selected, notice, message = handlers.pick("twin", picked("tiny"))
    assert (table["selected"], selected, notice, message) == ("tiny", "tiny", "", SKIPPED)
    for name, sentence in (
        ("s12", "s12 cannot be fetched: "),
        ("<b>", "There is no variant '<b>'"),
        (7, "There is no"),
    ):
        table, selected, notice, message = handlers.pick("twin", picked(name))
        assert (table["selected"], selected, notice) == ("twin", "twin", SKIPPED)
        assert message["kind"] == "problem"
        assert message["text"].startswith(sentence)


def test_an_address_that_names_a_variant_and_an_example_selects_both(handlers):
    table, selected, notice, message, example = handlers.greet(visitor(variant="tiny", example="cat", stage="3"))
    assert (table["selected"], selected, notice, example) == ("tiny", "tiny", "", "cat")
    assert message["text"] == NO_PICTURE
    assert handlers.open_example(None, example).endswith("cat.jpg")


@pytest.mark.parametrize("parameters", [{}, {"variant": ""}, {"variant": "S12"}, {"variant": "../tiny", "example": ""}])
def test_an_address_that_names_no_variant_is_a_plain_visit(handlers, parameters):
    table, selected, notice, message, example = handlers.greet(visitor(**parameters))
    assert (table["selected"], selected, notice) == ("twin", "twin", "")
    assert (message["kind"], message["text"]) == ("info", NO_PICTURE)
    assert handlers.open_example(None, example) == SKIPPED


def test_an_address_whose_variant_cannot_be_had_says_so_beside_the_first_result(handlers, cat):
    table, selected, notice, message, _ = handlers.greet(visitor(variant="m48", example="cat"))
    assert (table["selected"], selected) == ("twin", "twin")
    assert message["kind"] == "problem"
    assert message["text"] == notice
    assert notice.startswith("m48 cannot be fetched: ")
    assert handlers.run(str(cat), selected, notice, None)["message"]["note"].startswith(notice)


def test_an_address_never_replaces_a_picture_that_is_there(handlers, cat):
    assert handlers.open_example(str(cat), "ship") == SKIPPED


def test_an_export_is_a_file_of_the_current_run(handlers, cat):
    value, message = handlers.export(str(cat), "tiny", export_event("npz"))
    assert message == SKIPPED
    assert value["name"] == "poolformer-tiny-stages.npz"
    with np.load(io.BytesIO(Path(value["file"]["path"]).read_bytes())) as arrays:
        assert arrays["stage4"].shape == (256, 4, 4)


@pytest.mark.parametrize(("has_picture", "asked"), [(False, "npz"), (True, "exe"), (True, None), (True, ["npz"])])
def test_an_export_of_nothing_or_as_anything_else_is_a_sentence(handlers, cat, has_picture, asked):
    value, message = handlers.export(str(cat) if has_picture else None, "tiny", export_event(asked))
    assert value == SKIPPED
    assert message["kind"] == "problem"


def test_what_a_run_sends_lies_where_old_files_are_swept(service, cat, tmp_path):
    uploaded = tmp_path / "gradio" / "upload" / "cat.jpg"
    uploaded.parent.mkdir(parents=True)
    picture = {"path": str(uploaded), "meta": {"_type": "gradio.FileData"}}

    async def run_twice() -> None:
        demo = build_demo(service)
        run = next(function for function in demo.fns.values() if function.name == "run")
        session, paths = SessionState(demo), set()
        for name in ("cat.jpg", "ship.jpg"):
            shutil.copy(cat.with_name(name), uploaded)
            result = await demo.process_api(run, [picture, None, None, None], state=session)
            paths.add(result["data"][0]["explorer"]["pack"]["path"])
        assert len(paths) == 2
        assert all(map(is_upload, paths))

    in_a_loop(run_twice)


def test_what_a_person_would_not_expect_of_a_picture_is_said_with_the_result(handlers, tmp_path):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    outcome = handlers.run(str(tmp_path / "two.gif"), "tiny", "", "mark")
    assert "This is an animation: only its first frame was used." in json.dumps(outcome["message"])
    assert handlers.service.classify(tmp_path / "two.gif", "tiny").notes == (
        "This is an animation: only its first frame was used.",
    )


def test_an_unexpected_error_is_a_number_and_changes_nothing_else(handlers, cat, monkeypatch, caplog):
    def broken(*_: object) -> None:
        raise KeyError("the secret")

    for method in ("run", "prepare", "export"):
        monkeypatch.setattr(handlers.service, method, broken)
    outcome = handlers.run(str(cat), "twin", "", "the mark")
    assert (outcome["mark"], outcome["labels"], outcome["explorer"]) == ("the mark", {}, None)
    table, selected, notice, after_pick = handlers.pick("twin", picked("tiny"))
    assert (table["selected"], selected, notice) == ("twin", "twin", SKIPPED)
    download, after_export = handlers.export(str(cat), "twin", export_event("npz"))
    assert download == SKIPPED
    table, selected, notice, greeting, example = handlers.greet(visitor(variant="tiny", example="cat"))
    assert (table["selected"], selected, notice, example) == ("twin", "twin", greeting["text"], "cat")
    for message in (outcome["message"], after_pick, after_export, greeting):
        number = re.search(r"with its number, ([0-9a-f]{8})\.$", message["text"]).group(1)
        assert f"failure {number}\nTraceback" in caplog.text
        assert message["again"]
        assert "secret" not in message["text"]


def test_whatever_takes_long_can_be_cancelled(handlers, cat, monkeypatch):
    given = []
    for method in ("run", "prepare", "export"):
        monkeypatch.setattr(handlers.service, method, lambda *arguments: given.append(arguments[-1]) or 1 / 0)
    handlers.run(str(cat), "twin", "", None)
    handlers.pick("twin", picked("tiny"))
    handlers.greet(visitor(variant="tiny"))
    handlers.export(str(cat), "twin", export_event("npz"))
    assert [type(cancelled) for cancelled in given] == [threading.Event] * 4


def test_everything_that_may_wait_is_bounded_and_leaves_threads_for_the_rest(service):
    async def look() -> None:
        demo = build_demo(service)
        assert demo._queue.max_size == MAX_WAITING
        assert not demo.api_open
        limits = {function.concurrency_id: function.concurrency_limit for function in demo.fns.values() if function.fn}
        assert set(limits) == {"runs", "choices", "quick"}
        assert sum(limits.values()) < MAX_THREADS

    in_a_loop(look)
