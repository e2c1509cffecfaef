"""The picture input: a gr.Image that hands over the uploaded file unopened, so that only images/decode.py opens it."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData


class Picture(gr.Image):
    """A gr.Image whose value is the path of the uploaded file, whatever its bytes are."""

    is_template = True

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        super().__init__(value, type="filepath", image_mode=None, **kwargs)

    def get_config(self, cls: Any = None) -> dict[str, Any]:
        """The front end's settings: those of gr.Image, whose front end it is."""
        return super().get_config(cls or gr.Image)

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The path of the uploaded file, None without one.

        Raises:
            gr.Error: the picture came inside the request instead of as an upload.
        """
        if payload is None:
            return None
        if payload.path is None or (payload.url or "").startswith("data:"):
            raise gr.Error("The picture came as a data: URL; upload it as a file.", print_exception=False)
        return payload.path
