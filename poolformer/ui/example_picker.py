"""The example pictures: scenes that this repository renders, and photographs that the gradio package ships."""

from __future__ import annotations

import filecmp
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData
from gradio.media import get_image

from poolformer.ui.component import StaticHTML, event_value, revised

EXAMPLES_DIR = Path(__file__).resolve().parents[2] / "assets" / "examples"
PHOTOGRAPHS = {"cheetah": "cheetah1.jpg", "lion": "lion.jpg", "tower": "tower.jpg"}  # of gradio's own media


@dataclass(frozen=True)
class Example:
    """A picture to try, what it is called in a link, and how it was made."""

    name: str
    kind: str
    path: Path


def list_examples() -> list[Example]:
    """All examples: the rendered scenes by name, then the photographs."""
    scenes = [Example(path.stem, "rendered", path) for path in sorted(EXAMPLES_DIR.glob("*.jpg"))]
    return scenes + [Example(name, "photograph", Path(get_image(file))) for name, file in PHOTOGRAPHS.items()]


class ExamplePicker(StaticHTML):
    """A row of thumbnails, each a button with a name. Fires `choose` with {"index": ...}; `chosen` reads it.

    gr.Examples would do, but its thumbnails have no name that a screen reader could say.
    """

    static_name = "example_picker"

    def __init__(self, **kwargs: Any) -> None:
        self._examples = list_examples()
        entries = [
            {"name": f"{example.name}, {example.kind}", "image": FileData(path=str(example.path)).model_dump()}
            for example in self._examples
        ]
        super().__init__(revised({"examples": entries}), **kwargs)

    def chosen(self, event: gr.EventData) -> str | None:
        """A copy of the example that the event names; None if it names none, since the event is the visitor's."""
        index = event_value(event, "index")
        if not isinstance(index, int) or not 0 <= index < len(self._examples):
            return None
        return self._copy(self._examples[index])

    def linked(self, name: str | None) -> str | None:
        """A copy of the example that a link calls `name`; None if there is none, since anybody makes links."""
        return next((self._copy(example) for example in self._examples if example.name == name), None)

    def _copy(self, example: Example) -> str:
        """Its path in Gradio's cache, where every visitor may see it, wherever the original is installed."""
        path: str = self.file(example.path.read_bytes(), example.path.name)["path"]
        return path

    def name_of(self, path: str) -> str | None:
        """The name of the example whose very bytes are in the file at `path`; None if it holds anything else."""
        return next((e.name for e in self._examples if filecmp.cmp(path, e.path, shallow=False)), None)
