"""What a run found, kept back in the browser until it is certain that the picture it ran on is still the one shown.

Runs of one page follow each other, so while one is on its way the visitor may choose another picture, or none. The
server cannot know that in time; the browser does. So a run fills an unseen component, and the page's own script passes
its value on to what is seen if the picture is still the same. The three scripts below belong to three events.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import GradioModel

# With a run, whose inputs begin with the picture and end with the unseen component: in the place of its old value goes
# the mark of the picture that the run is about.
MARK_PICTURE = "(picture, ...others) => [picture, ...others.slice(0, -1), picture?.path ?? null]"
# After a run, from the unseen component and the picture: what the labels, the message and the explorer are to show.
# Where the script gives nothing, nothing on the page changes.
SHOW = """(outcome, picture) =>
  outcome?.mark === (picture?.path ?? null) ? [outcome.labels, outcome.message, outcome.explorer] : undefined"""
# When the picture changes: what the labels, the message, the explorer and the download show is of another one.
FORGET = "() => [{}, null, null, null]"


def outcome_value(
    mark: str | None,
    labels: gr.Label,
    scores: dict[str | float, float] | None,
    message: dict[str, Any],
    explorer: dict[str, Any] | None,
) -> dict[str, Any]:
    """The unseen component's value: `scores` for `labels`, a message, and what the explorer shows.

    `mark` is what `MARK_PICTURE` sent: only in front of that picture is any of it shown.
    """
    shown = labels.postprocess(scores)
    return {
        "mark": mark,
        "labels": shown.model_dump() if isinstance(shown, GradioModel) else shown,
        "message": message,
        "explorer": explorer,
    }
