"""One line under the labels: what ran and how long it took, or what went wrong and what to do."""

from __future__ import annotations

import json
from typing import Any

from poolformer.ui.component import StaticHTML, revised


class Message(StaticHTML):
    """Plain text, announced to screen readers; its value comes from `info` or `problem`.

    Fires `again` when the visitor asks to try again what went wrong.
    """

    static_name = "message"


# In the browser, for a request that the server did not take: after it, from what the table shows, the same table drawn
# again, for a row that was clicked waits in it, and the message.
BUSY = "Too many others are waiting just now, so this was not started. What you have stays; try again in a minute."
SHOW_BUSY = f"""(table) => [
  {{ ...table, revision: Date.now() }},
  {{ kind: 'problem', text: {json.dumps(BUSY)}, note: '', again: true, revision: Date.now() }},
]"""


def info(text: str, note: str = "") -> dict[str, Any]:
    """A quiet line, and under it a note."""
    return revised({"kind": "info", "text": text, "note": note, "again": False})


def problem(text: str, again: bool = False) -> dict[str, Any]:
    """A line that stands out, with a button that fires `again` if it may go well the next time."""
    return revised({"kind": "problem", "text": text, "note": "", "again": again})
