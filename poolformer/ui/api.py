"""The named API: /classify and /inspect, for programs."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image

from poolformer.errors import PoolFormerError
from poolformer.service import Classification, PoolFormerService
from poolformer.ui.picture import Picture
from poolformer.weights.variants import BUNDLED_NAME

NO_PICTURE = "There is no picture; send one as `image`."


def add_api(service: PoolFormerService, queue: dict[str, Any]) -> None:
    """Adds both endpoints to the Blocks being built, unseen on the page, in the same `queue` as its events."""

    def classify(image: str | None, variant: str) -> dict[str, Any]:
        """Classify a picture: its five most probable labels and their probabilities.

        Parameters:
            image: The picture: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            variant: A row of the table: tiny (CIFAR-10, bundled), s12, s24, s36, m36 or m48 (ImageNet-1k; fetched from
                the Hub on first use).
        Returns:
            An object with `variant`, `forward_ms`, `notes` and `predictions`, a list of {"label", "score"}, best first.
            Scores are softmax probabilities from 0 to 1; notes are sentences about the picture, such as that only the
            first frame of an animation was used.
        """
        try:
            return as_json(service.classify(_present(image), variant))
        except PoolFormerError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def inspect(image: str | None, variant: str) -> tuple[dict[str, Any], list[tuple[Image.Image, str]]]:
        """Classify a picture and return pictures of all four stages.

        Parameters:
            image: The picture: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            variant: A row of the table: tiny (CIFAR-10, bundled), s12, s24, s36, m36 or m48 (ImageNet-1k; fetched from
                the Hub on first use).
        Returns:
            The object that /classify returns, and twelve captioned PNG pictures: of each stage the energy over the
            picture, the principal components as colours, and the 16 strongest channels.
        """
        try:
            result = service.inspect(_present(image), variant)
        except PoolFormerError as error:
            raise gr.Error(str(error), print_exception=False) from error
        pictures = []
        for number, (stage, panel) in enumerate(zip(result.stages, service.panels(result), strict=True), start=1):
            shape = f"{stage.geometry.height} × {stage.geometry.width} × {stage.geometry.channels}"
            channels = ", ".join(map(str, stage.channel_indices))
            pictures += [
                (Image.fromarray(panel.energy), f"stage {number} ({shape}): energy, {_range(panel.energy_range)}"),
                (Image.fromarray(panel.pca), f"stage {number} ({shape}): PCA to RGB"),
                (
                    Image.fromarray(panel.channels),
                    f"stage {number} ({shape}): channels {channels}, {_range(panel.channel_range)}",
                ),
            ]
        return as_json(result.classification), pictures

    with gr.Row(visible=False):
        image = Picture(label="image")
        variant = gr.Textbox(BUNDLED_NAME, label="variant")
        labels, pictures = gr.JSON(label="labels"), gr.Gallery(label="stages", format="png")
        for function, outputs in ((classify, [labels]), (inspect, [labels, pictures])):
            gr.Button().click(
                function,
                [image, variant],
                outputs,
                api_name=function.__name__,
                **queue,
            )


def as_json(result: Classification) -> dict[str, Any]:
    """A classification as plain data."""
    predictions = [{"label": prediction.label, "score": prediction.score} for prediction in result.predictions]
    return {
        "variant": result.variant,
        "forward_ms": round(result.forward_ms, 1),
        "predictions": predictions,
        "notes": list(result.notes),
    }


def _present(image: str | None) -> str:
    if image is None:
        raise gr.Error(NO_PICTURE, print_exception=False)
    return image


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3g} to {bounds[1]:.3g}"
