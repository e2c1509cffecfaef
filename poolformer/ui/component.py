"""The base of our own page components: a gr.HTML whose template, style and script are files under ui/static/."""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

STATIC_DIR = Path(__file__).parent / "static"

_revision = itertools.count()
_SECRET = secrets.token_bytes(32)


class StaticHTML(gr.HTML):
    """A gr.HTML that reads `static_name`.html, .css and .js; its value is data, put on the page as text by the script.

    A large one has a folder of that name instead; the files of one kind in it follow each other in the order of their
    names. The template never contains the value, so nothing in it is ever taken for HTML or for a template.
    """

    static_name = ""

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        html, css, js = (_source(self.static_name, suffix) for suffix in (".html", ".css", ".js"))
        super().__init__(value, html_template=html, css_template=css, js_on_load=js, apply_default_css=False, **kwargs)

    def api_info(self) -> dict[str, Any]:
        """The value is a JSON object."""
        return {"type": "object"}

    def file(self, content: bytes, name: str) -> dict[str, Any]:
        """`content` as an entry of the value, which reaches the page with a `url` that gives it; see `keep_file`."""
        path = keep_file(content, name, self.GRADIO_CACHE)
        return FileData(path=str(path), orig_name=name, size=len(content)).model_dump()


def keep_file(content: bytes, name: str, cache_dir: str) -> Path:
    """A file in Gradio's cache with this content and name.

    `ui.temporary` removes it from there. Its folder is named by its content and by a secret of this process: nobody can
    guess where it lies, not even who has the same content, and those who are shown the same share one whole file.
    """
    path = Path(cache_dir) / hashlib.blake2b(content, key=_SECRET, digest_size=32).hexdigest() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
        partial.write(content)
    os.replace(partial.name, path)
    return path


def _source(name: str, suffix: str) -> str:
    folder = STATIC_DIR / name
    paths = sorted(folder.glob(f"*{suffix}")) if folder.is_dir() else [STATIC_DIR / f"{name}{suffix}"]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def event_value(event: gr.EventData, key: str) -> Any:
    """What a component's script sent with an event under `key`, None without it. It is the visitor's: check it."""
    return event._data.get(key) if isinstance(event._data, dict) else None


def revised(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with a number that it never had before, so that the page draws it again even if nothing else differs."""
    return {**value, "revision": next(_revision)}
