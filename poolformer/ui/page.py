"""The page: its parts, and what happens on which event."""

from __future__ import annotations

from typing import Any

import gradio as gr

from poolformer.service import PoolFormerService
from poolformer.ui.api import add_api
from poolformer.ui.guarded import GuardedBlocks
from poolformer.ui.handlers import NO_PICTURE, Handlers, variant_note
from poolformer.ui.layout import add_parts
from poolformer.ui.message import SHOW_BUSY, info
from poolformer.ui.outcome import FORGET, MARK_PICTURE, SHOW
from poolformer.ui.settings import MAX_CHOICES, MAX_QUICK, MAX_RUNS, MAX_WAITING
from poolformer.ui.variant_picker import picker_value

TITLE = "PoolFormer, stage by stage"


def build_demo(service: PoolFormerService, max_runs: int = MAX_RUNS, max_waiting: int = MAX_WAITING) -> GuardedBlocks:
    """The whole page and its named API around `service`; starts nothing and asks no network.

    The page's address may name a `variant` and an `example`, which are then chosen; a name that is not offered is
    ignored. The rest of the address is the explorer's, which reads and writes it in the browser. The service is asked
    for at most `max_runs` runs at once; while `max_waiting` requests wait for their turn, others are refused.
    """
    start = service.default_variant()
    demo = GuardedBlocks(title=TITLE, analytics_enabled=False)
    queue: dict[str, Any] = {"concurrency_id": "runs", "concurrency_limit": max_runs}
    with demo:
        # The variant in use; why it is not the one that the address names; the example that the address names.
        selected, notice, linked = gr.State(start), gr.State(""), gr.State(None)
        outcome = gr.HTML(visible=False)  # what a run found, on its way to what is seen: see ui/outcome.py
        parts = add_parts(info(NO_PICTURE, variant_note(service, start)), picker_value(service.variants(), start))
        add_api(service, demo.visitors, queue)
        handlers = Handlers(service, parts, demo.visitors)
        picture, seen = parts.picture, [parts.labels, parts.message, parts.explorer]
        choice = [parts.picker, selected, notice, parts.message]
        private: dict[str, Any] = {"api_visibility": "private"}
        quiet: dict[str, Any] = {**queue, **private, "show_progress": "hidden"}
        quick: dict[str, Any] = {**quiet, "concurrency_id": "quick", "concurrency_limit": MAX_QUICK}
        loud: dict[str, Any] = {**queue, **private, "show_progress_on": [parts.labels]}
        choose: dict[str, Any] = {**loud, "concurrency_id": "choices", "concurrency_limit": MAX_CHOICES}

        picture.change(None, None, [*seen, parts.download], js=FORGET, **private)
        run: dict[str, Any] = {
            "fn": handlers.run,
            "inputs": [picture, selected, notice, outcome],
            "outputs": outcome,
            "js": MARK_PICTURE,
            "trigger_mode": "always_last",
            **loud,
        }
        runs = gr.on([picture.change, selected.change], **run), parts.message.again(**run)
        for ran in runs:
            ran.success(None, [outcome, picture], seen, js=SHOW, **private)
        chosen = parts.examples.choose(parts.examples.chosen, None, picture, **quick)
        picked = parts.picker.pick(handlers.pick, selected, choice, **choose)
        exported = parts.explorer.export(handlers.export, [picture, selected], [parts.download, parts.message], **quiet)
        # The variant first and then the picture, so that the network runs once.
        greeted = demo.load(handlers.greet, None, [*choice, linked], **choose)
        opened = greeted.success(handlers.open_example, [picture, linked], picture, **quick)
        for event in (*runs, chosen, picked, exported, greeted, opened):
            event.failure(None, parts.picker, [parts.picker, parts.message], js=SHOW_BUSY, **private)
    demo.queue(max_size=max_waiting, api_open=False)
    return demo
