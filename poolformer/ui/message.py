"""One line under the labels: what ran and how long it took, or what went wrong and what to do."""

from __future__ import annotations

from typing import Any

from poolformer.ui.component import StaticHTML, revised


class Message(StaticHTML):
    """Plain text, announced to screen readers; its value comes from `info` or `problem`."""

    static_name = "message"


def info(text: str, note: str = "") -> dict[str, Any]:
    """A quiet line, and under it a note."""
    return revised({"kind": "info", "text": text, "note": note})


def problem(text: str) -> dict[str, Any]:
    """A line that stands out."""
    return revised({"kind": "problem", "text": text, "note": ""})
