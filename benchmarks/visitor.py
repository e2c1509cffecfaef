"""A visitor over HTTP who costs little: the three requests that Gradio documents for curl, on one connection.

Gradio's own client opens new ones for each request and reads all certificates each time, which takes longer than the
answer; 32 of those on the processor of the app would measure themselves.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2

TIMEOUT_S = 120.0


class RefusedError(Exception):
    """What the app said instead of an answer."""


@contextmanager
def open_visitors(url: str, count: int) -> Iterator[list[Visitor]]:
    """So many who ask the app at `url`, each on a connection of his own."""
    with ExitStack() as stack:
        yield [
            Visitor(
                stack.enter_context(httpx2.Client(base_url=f"{url}gradio_api/", timeout=TIMEOUT_S, trust_env=False))
            )
            for _ in range(count)
        ]


class Visitor:
    """Somebody who asks the app whose API is the base address of `http`: one session, as an open page has it."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http, self._session = http, uuid.uuid4().hex

    def ask(self, endpoint: str, picture: Path, variant: str) -> list[Any]:
        """What the endpoint returns for the picture.

        Raises:
            RefusedError: the app refused, with its sentence.
        """
        files = {"files": (picture.name, picture.read_bytes())}
        (path,) = self._http.post("upload", files=files).raise_for_status().json()
        data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, variant]
        wanted = {"data": data, "session_hash": self._session}
        begun = self._http.post(f"call/{endpoint}", json=wanted).raise_for_status().json()
        events = self._http.get(f"call/{endpoint}/{begun['event_id']}").raise_for_status().text
        kind, answer = last_event(events)
        if kind != "complete":
            raise RefusedError(answer["error"] if isinstance(answer, dict) else str(answer))
        assert isinstance(answer, list)
        return answer


def last_event(stream: str) -> tuple[str, Any]:
    r"""Name and data of the last of some server-sent events.

    >>> last_event('event: heartbeat\ndata: null\n\nevent: complete\ndata: [1]\n\n')
    ('complete', [1])
    """
    name, data = stream.strip().split("\n\n")[-1].split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
