"""The named API: /classify, /inspect and /stages, for programs."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image

from poolformer.errors import ImageError
from poolformer.inspection.pack import encode_pack
from poolformer.service import Classification, PoolFormerService
from poolformer.ui.component import keep_file
from poolformer.ui.picture import Picture
from poolformer.ui.visitors import Visitors
from poolformer.weights.variants import BUNDLED_NAME

PACK_NAME = "stages.safetensors"
NO_PICTURE = "There is no picture; send one as `image`."


def add_api(service: PoolFormerService, visitors: Visitors, queue: dict[str, Any]) -> None:
    """Adds the endpoints to the Blocks being built, unseen on the page, in the same `queue` as its events.

    Errors reach the caller as `ui.guarded` tells them.
    """

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
        with visitors.present() as left:
            return as_json(service.classify(_present(image), variant, left))

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
        with visitors.present() as left:
            result = service.inspect(_present(image), variant, left)
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

    def stages(image: str | None, variant: str) -> tuple[dict[str, Any], str]:
        """Classify a picture and return the activations of all four stages: what the page draws from.

        Parameters:
            image: The picture: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            variant: A row of the table: tiny (CIFAR-10, bundled), s12, s24, s36, m36 or m48 (ImageNet-1k; fetched from
                the Hub on first use).
        Returns:
            The object that /classify returns, and a file in the safetensors format with all channels of all stages.
            Of stage 1 they are stage1.codes, uint8 (C, H, W), and stage1.offset and stage1.scale, float32 (C,): the
            activation is about offset + scale * code. `contributions`, float32 (5, C), is what each channel of the last
            stage adds to the logit of each of the five labels; `picture`, uint8 (H, W, 3), is what the network saw.
        """
        with visitors.present() as left:
            run = service.run(_present(image), variant, left)
        return as_json(run.classification), str(keep_file(encode_pack(run.pack()), PACK_NAME, pack.GRADIO_CACHE))

    with gr.Row(visible=False):
        image = Picture(label="image")
        variant = gr.Textbox(BUNDLED_NAME, label="variant")
        labels, pictures = gr.JSON(label="labels"), gr.Gallery(label="stages", format="png")
        pack = gr.File(label="activations")
        for function, outputs in ((classify, [labels]), (inspect, [labels, pictures]), (stages, [labels, pack])):
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
        raise ImageError(NO_PICTURE)
    return image


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3g} to {bounds[1]:.3g}"
