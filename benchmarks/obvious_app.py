"""The obvious app, for comparison: gradio, `transformers`, and a matplotlib figure of 16 channels for each stage.

It takes its models from the Hub's cache, as `transformers` does.
"""

from typing import Any

import gradio as gr
import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

VARIANTS = ["s12", "s24", "s36", "m36", "m48"]
loaded: dict[str, tuple[Any, Any]] = {}


def load(variant: str) -> tuple[Any, Any]:
    """The processor and the model of a variant, which stay in memory."""
    if variant not in loaded:
        name = f"sail/poolformer_{variant}"
        loaded[variant] = (
            AutoImageProcessor.from_pretrained(name),  # type: ignore[no-untyped-call]
            AutoModelForImageClassification.from_pretrained(name).eval(),
        )
    return loaded[variant]


def draw(stage: torch.Tensor) -> Figure:
    """A figure of the 16 channels (C, H, W) with the largest mean absolute activation."""
    strongest = stage.abs().mean((1, 2)).topk(16).indices
    figure, axes = plt.subplots(4, 4, figsize=(6, 6))
    for ax, channel in zip(axes.flat, strongest.tolist(), strict=True):
        ax.imshow(stage[channel], cmap="viridis")
        ax.set_title(f"channel {channel}", fontsize=8)
        ax.axis("off")
    return figure


def classify(image: Image.Image | None, variant: str) -> tuple[Any, ...]:
    """The labels with their probabilities, and the figure of each stage."""
    if image is None:
        raise gr.Error("Upload a picture first.")
    processor, model = load(variant)
    with torch.no_grad():
        outputs = model(**processor(image, return_tensors="pt"), output_hidden_states=True)
    scores, indices = outputs.logits[0].softmax(-1).topk(5)
    labels = {model.config.id2label[i]: s for i, s in zip(indices.tolist(), scores.tolist(), strict=True)}
    return labels, *(draw(stage[0]) for stage in outputs.hidden_states)


with gr.Blocks(title="PoolFormer") as demo:
    with gr.Row():
        image = gr.Image(type="pil", label="Picture")
        label = gr.Label(num_top_classes=5, label="Top 5")
    variant = gr.Radio(VARIANTS, value="s12", label="Variant")
    with gr.Row():
        plots = [gr.Plot(label=f"Stage {i}") for i in range(1, 5)]
    gr.on([image.upload, variant.input], classify, [image, variant], [label, *plots], api_name="classify")

if __name__ == "__main__":
    demo.launch()
