"""The base of our own page components: a gr.HTML whose template, style and script are files under ui/static/."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import gradio as gr

STATIC_DIR = Path(__file__).parent / "static"

_revision = itertools.count()


class StaticHTML(gr.HTML):
    """A gr.HTML that reads `static_name`.html, .css and .js; its value is data, put on the page as text by the script.

    The template never contains the value, so nothing in it is ever taken for HTML or for a template.
    """

    static_name = ""

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        html, css, js = (
            (STATIC_DIR / f"{self.static_name}{suffix}").read_text(encoding="utf-8")
            for suffix in (".html", ".css", ".js")
        )
        super().__init__(value, html_template=html, css_template=css, js_on_load=js, apply_default_css=False, **kwargs)

    def api_info(self) -> dict[str, Any]:
        """The value is a JSON object."""
        return {"type": "object"}


def event_value(event: gr.EventData, key: str) -> Any:
    """What a component's script sent with an event under `key`, None without it. It is the visitor's: check it."""
    return event._data.get(key) if isinstance(event._data, dict) else None


def revised(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with a number that it never had before, so that the page draws it again even if nothing else differs."""
    return {**value, "revision": next(_revision)}
