"""The page: its parts, and what happens on which event."""

from __future__ import annotations

from typing import Any

import gradio as gr

from poolformer.service import PoolFormerService
from poolformer.ui.api import add_api
from poolformer.ui.handlers import NO_PICTURE, Handlers, variant_note
from poolformer.ui.layout import add_parts
from poolformer.ui.message import info
from poolformer.ui.outcome import FORGET, MARK_PICTURE, SHOW
from poolformer.ui.variant_picker import picker_value

TITLE = "PoolFormer, stage by stage"
CACHE_SECONDS = (600, 3600)  # every ten minutes, files older than an hour are removed from Gradio's cache
RUNS_AT_ONCE = 8  # the service runs one forward pass at a time; the others decode, pack, or fetch a checkpoint


def build_demo(service: PoolFormerService) -> gr.Blocks:
    """The whole page and its named API around `service`; starts nothing and asks no network.

    The page's address may name a `variant` and an `example`, which are then chosen; a name that is not offered is
    ignored. The rest of the address is the explorer's, which reads and writes it in the browser.
    """
    start = service.default_variant()
    demo = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=CACHE_SECONDS)
    queue: dict[str, Any] = {"concurrency_id": "runs", "concurrency_limit": RUNS_AT_ONCE}
    with demo:
        # The variant in use; why it is not the one that the address names; the example that the address names.
        selected, notice, linked = gr.State(start), gr.State(""), gr.State(None)
        outcome = gr.HTML(visible=False)  # what a run found, on its way to what is seen: see ui/outcome.py
        parts = add_parts(info(NO_PICTURE, variant_note(service, start)), picker_value(service.variants(), start))
        add_api(service, queue)
        handlers = Handlers(service, parts)
        picture, seen = parts.picture, [parts.labels, parts.message, parts.explorer]
        choice = [parts.picker, selected, notice, parts.message]
        private: dict[str, Any] = {"api_visibility": "private"}
        loud: dict[str, Any] = {**queue, **private, "show_progress_on": [parts.labels]}
        quiet: dict[str, Any] = {**queue, **private, "show_progress": "hidden"}

        picture.change(None, None, [*seen, parts.download], js=FORGET, **private)
        gr.on(
            [picture.change, selected.change],
            handlers.run,
            [picture, selected, notice, outcome],
            outcome,
            js=MARK_PICTURE,
            trigger_mode="always_last",
            **loud,
        ).success(None, [outcome, picture], seen, js=SHOW, **private)
        parts.examples.choose(parts.examples.chosen, None, picture, **quiet)
        parts.picker.pick(handlers.pick, selected, choice, **loud)
        parts.explorer.export(handlers.export, [picture, selected], [parts.download, parts.message], **quiet)
        # The variant first and then the picture, so that the network runs once.
        demo.load(handlers.greet, None, [*choice, linked], **loud).success(
            handlers.open_example, [picture, linked], picture, **quiet
        )
    return demo
