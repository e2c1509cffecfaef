"""The page: picture and variant table on the left, labels on the right, the four stages below."""

from __future__ import annotations

from typing import Any

import gradio as gr

from poolformer.errors import PoolFormerError
from poolformer.render.colormaps import DIVERGING, SEQUENTIAL
from poolformer.render.panel import PanelStyle
from poolformer.service import TOP_COUNT, Classification, Inspection, PoolFormerService
from poolformer.ui.api import add_api
from poolformer.ui.component import event_value
from poolformer.ui.example_picker import ExamplePicker
from poolformer.ui.message import Message, info, problem
from poolformer.ui.picture import Picture
from poolformer.ui.stage_panels import StagePanels
from poolformer.ui.variant_picker import VariantPicker, picker_value
from poolformer.weights.variants import BUNDLED_NAME, VARIANTS

TITLE = "PoolFormer, stage by stage"
INTRODUCTION = """# PoolFormer, stage by stage
A MetaFormer sees a picture in four stages. PoolFormer's token mixer is nothing but average pooling, and still it
recognises what is there. Choose a picture and look inside."""
STAGES_INTRODUCTION = """## What each stage holds
The activations at the end of each stage, taken from the run above. **Energy** is how strongly a place responds, over
all channels. **PCA to RGB** gives similar places similar colours: equal colours, equal features. Below them are the
**strongest channels**, red above zero and blue below."""
NO_PICTURE = "Choose a picture: upload one, take one with the webcam, paste one, or click an example."

CACHE_SECONDS = (600, 3600)  # every ten minutes, pictures older than an hour are removed from Gradio's cache
RUNS_AT_ONCE = 8  # the service runs one forward pass at a time; the others decode, draw, or fetch a checkpoint
SHARED_RANGE, OWN_RANGE = "one for all stages", "its own for each stage"


def build_demo(service: PoolFormerService) -> gr.Blocks:
    """The whole page and its named API around `service`; starts nothing and asks no network."""
    start = service.default_variant()
    demo = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=CACHE_SECONDS)
    queue: dict[str, Any] = {"concurrency_id": "runs", "concurrency_limit": RUNS_AT_ONCE}
    with demo:
        selected, inspected = gr.State(start), gr.State(None, time_to_live=CACHE_SECONDS[1])
        gr.Markdown(INTRODUCTION)
        with gr.Row(equal_height=False):
            with gr.Column(scale=6, min_width=320):
                picture = Picture(
                    label="Picture", sources=["upload", "webcam", "clipboard"], height=300, elem_id="picture"
                )
                examples = ExamplePicker(elem_id="examples")
                picker = VariantPicker(picker_value(service.variants(), start), elem_id="variants")
            with gr.Column(scale=4, min_width=320):
                labels = gr.Label(num_top_classes=TOP_COUNT, label="Top 5", elem_id="labels")
                message = Message(info(NO_PICTURE, variant_note(service, start)), elem_id="message")
        gr.Markdown(STAGES_INTRODUCTION)
        style = add_style_controls()
        panels = StagePanels(elem_id="stages")
        add_api(service, queue)

        def draw(inspection: Inspection | None, *values: Any) -> dict[str, Any] | None:
            if inspection is None:
                return None
            chosen = panel_style(*values)
            return panels.value_of(inspection, service.panels(inspection, chosen), chosen)

        def run(path: str | None, name: str, *values: Any) -> dict[Any, Any]:
            if path is None:
                return {
                    labels: None,
                    message: info(NO_PICTURE, variant_note(service, name)),
                    panels: None,
                    inspected: None,
                }
            try:
                result = service.inspect(path, name)
            except PoolFormerError as error:
                return {labels: None, message: problem(str(error)), panels: None, inspected: None}
            return {
                labels: label_scores(result.classification),
                message: info(describe_run(result), variant_note(service, name)),
                panels: draw(result, *values),
                inspected: result,
            }

        def pick(
            name: str, event: gr.EventData, _progress: gr.Progress = gr.Progress(track_tqdm=True)
        ) -> dict[Any, Any]:
            asked = str(event_value(event, "name"))
            try:
                service.checkpoint(asked)
            except PoolFormerError as error:
                return {picker: picker_value(service.variants(), name), message: problem(str(error))}
            return {picker: picker_value(service.variants(), asked), selected: asked}

        def greet() -> dict[Any, Any]:
            name = service.default_variant()
            return {
                picker: picker_value(service.variants(), name),
                selected: name,
                message: info(NO_PICTURE, variant_note(service, name)),
            }

        shared: dict[str, Any] = {**queue, "api_visibility": "private"}
        gr.on(
            [picture.change, selected.change],
            run,
            [picture, selected, *style],
            [labels, message, panels, inspected],
            trigger_mode="always_last",
            show_progress_on=[labels],
            **shared,
        )
        examples.choose(examples.chosen, None, picture, show_progress="hidden", **shared)
        picker.pick(pick, selected, [picker, selected, message], show_progress_on=[labels], **shared)
        gr.on(
            [control.change for control in style],
            draw,
            [inspected, *style],
            panels,
            trigger_mode="always_last",
            show_progress="hidden",
            **shared,
        )
        demo.load(greet, None, [picker, selected, message], show_progress="hidden", **shared)
    return demo


def add_style_controls() -> list[Any]:
    """The controls of how stages are shown, in the order that `panel_style` takes them."""
    defaults = PanelStyle()
    with gr.Row(elem_id="style"):
        return [
            gr.Slider(0, 1, defaults.opacity, step=0.05, label="Energy over the picture", min_width=160),
            gr.Radio(["cells", "smooth"], value="cells", label="Energy drawn as", min_width=160),
            gr.Dropdown(list(SEQUENTIAL), value=defaults.energy_colormap, label="Colours of energy", min_width=160),
            gr.Dropdown(list(DIVERGING), value=defaults.channel_colormap, label="Colours of channels", min_width=160),
            gr.Radio([OWN_RANGE, SHARED_RANGE], value=OWN_RANGE, label="Range of the colours", min_width=200),
        ]


def panel_style(
    opacity: float, drawn_as: str, energy_colormap: str, channel_colormap: str, range_of: str
) -> PanelStyle:
    """The style that the controls of `add_style_controls` stand for."""
    return PanelStyle(opacity, drawn_as == "smooth", energy_colormap, channel_colormap, range_of == SHARED_RANGE)


def label_scores(result: Classification) -> dict[str, float]:
    """The predictions as gr.Label takes them; a label that two classes share is told apart by its rank."""
    names = [prediction.label for prediction in result.predictions]
    return {
        name if names.count(name) == 1 else f"{name} ({rank})": prediction.score
        for rank, (name, prediction) in enumerate(zip(names, result.predictions, strict=True), start=1)
    }


def describe_run(result: Inspection) -> str:
    """The variant, the size of what it saw, and how long the forward pass took."""
    height_px, width_px = result.picture.shape[:2]
    run = result.classification
    return f"{run.variant} · {width_px} × {height_px} pixels · forward pass {run.forward_ms:.0f} ms"


def variant_note(service: PoolFormerService, name: str) -> str:
    """What a visitor has to know about the chosen variant before believing it."""
    facts = service.variant(name)
    if name in VARIANTS:
        return f"{name} knows the 1,000 classes of {facts.dataset}."
    labels = facts.config().labels
    if name != BUNDLED_NAME:
        return f"{name} is your own checkpoint; it knows {len(labels)} classes: {', '.join(labels[:20])}."
    return (
        f"{name} is bundled and small: trained by this project on {facts.dataset} ({facts.input_size_px} × "
        f"{facts.input_size_px} pixels), {facts.top1_percent:.1f}% on its test split. It knows only "
        f"{', '.join(labels)}, and answers with one of them whatever the picture shows. "
        "It is not an ImageNet model; s12 to m48 are."
    )
