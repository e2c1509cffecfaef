"""What is seen on the page, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from poolformer.service import TOP_COUNT
from poolformer.ui.download import Download
from poolformer.ui.example_picker import ExamplePicker
from poolformer.ui.message import Message
from poolformer.ui.picture import Picture
from poolformer.ui.stage_explorer import StageExplorer
from poolformer.ui.variant_picker import VariantPicker

INTRODUCTION = """# PoolFormer, stage by stage
A MetaFormer sees a picture in four stages. PoolFormer's token mixer is nothing but average pooling, and still it
recognises what is there. Choose a picture and look inside."""
STAGES_INTRODUCTION = """## What each stage holds
The activations at the end of each stage, all channels of them, from the run above. Point at a place: it is marked in
the picture and in every stage, with the part of the picture that it can see."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The components that a visitor sees."""

    picture: Picture
    examples: ExamplePicker
    labels: gr.Label
    message: Message
    picker: VariantPicker
    explorer: StageExplorer
    download: Download


def add_parts(greeting: dict[str, Any], table: dict[str, Any]) -> Parts:
    """Adds all components to the Blocks being built, with what the message and the variant table show at first.

    They follow each other as on a narrow screen; static/page.css puts the labels beside the rest on a wide one.
    """
    gr.Markdown(INTRODUCTION)
    with gr.Row(equal_height=False, elem_id="top"):
        with gr.Column(elem_id="choice", min_width=0):
            picture = Picture(label="Picture", sources=["upload", "webcam", "clipboard"], height=300, elem_id="picture")
            examples = ExamplePicker(elem_id="examples")
        with gr.Column(elem_id="answer", min_width=0):
            labels = gr.Label(num_top_classes=TOP_COUNT, label="Top 5", elem_id="labels")
            message = Message(greeting, elem_id="message")
        with gr.Column(elem_id="table", min_width=0):
            picker = VariantPicker(table, elem_id="variants")
    gr.Markdown(STAGES_INTRODUCTION)
    explorer = StageExplorer(elem_id="stages")
    download = Download(elem_id="download")
    return Parts(picture, examples, labels, message, picker, explorer, download)
