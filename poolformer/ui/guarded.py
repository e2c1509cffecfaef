"""Gradio's Blocks for strangers: a file is an upload, an unexpected error is a number, and who leaves is noticed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from poolformer.errors import PoolFormerError
from poolformer.ui.failures import explained
from poolformer.ui.visitors import Visitors

NO_UPLOAD = "This is no file that was uploaded here; upload the picture, and name the path that the upload returns."
BAD_REQUEST = "The inputs are not those that this endpoint takes; see “Use via API” at the foot of the page."


class GuardedBlocks(gr.Blocks):
    """Blocks whose `visitors` are those who use them now."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.visitors = Visitors()

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """As gr.Blocks, which by itself would fetch a file that is named by an address.

        Raises:
            gr.Error: a file was not uploaded here, or the inputs are not those of the function.
        """
        if not all(map(is_upload, _paths(inputs))):
            raise gr.Error(NO_UPLOAD, print_exception=False)
        try:
            processed: list[Any] = await super().preprocess_data(block_fn, inputs, *args, **kwargs)
        except (ValueError, TypeError) as error:
            raise gr.Error(BAD_REQUEST, print_exception=False) from error
        return processed

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As gr.Blocks, but every error is a sentence.

        Raises:
            gr.Error: what went wrong, or the number of the log line that says so.
        """
        try:
            with explained(gr.Error):
                output: dict[str, Any] = await super().process_api(*args, **kwargs)
                return output
        except PoolFormerError as error:
            raise gr.Error(str(error), print_exception=False) from error


def is_upload(path: str) -> bool:
    """Whether the path lies where Gradio puts uploads and results; whether anything is there is another question."""
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(get_upload_folder()))


def _paths(inputs: Any) -> Iterator[str]:
    """Whatever stands as a `path` anywhere in what a visitor sent."""
    remaining = [inputs]
    while remaining:
        value = remaining.pop()
        if isinstance(value, list):
            remaining += value
        elif isinstance(value, dict):
            remaining += value.values()
            if isinstance(value.get("path"), str):
                yield value["path"]
