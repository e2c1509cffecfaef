"""From the upload to everything shown, over HTTP: against the obvious app, both at once in processes of their own.

Everything is the labels and what is drawn of the stages: in the obvious app four figures of 16 channels, here the file
from which the page draws any channel of any stage.
"""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file

from benchmarks.photos import write_photos
from benchmarks.plan import Plan
from benchmarks.servers import OBVIOUS, connect, serve
from benchmarks.table import Measure, Row
from poolformer.inspection.pack import decode_pack
from poolformer.training.speed import by_turns

ROUNDS = 7
FASTER = {"s12": 5.0, "m48": 2.5}  # times as fast as the obvious app: the goals
OPPONENT = "gradio, transformers and matplotlib"
PHOTOS = 16


def measure(plan: Plan) -> list[Row]:
    """All rows."""
    names = plan.some(tuple(FASTER))
    cache_dir = plan.hub_cache(*names)
    photos = itertools.cycle(write_photos(plan.subfolder("photos"), PHOTOS))
    with serve(plan, cache_dir=cache_dir) as ours, serve(plan, OBVIOUS, cache_dir) as theirs:
        mine, other = connect(plan, ours.url), connect(plan, theirs.url)
        for name in names:
            check(name, send(mine, "/stages", name, photos), send(other, "/classify", name, photos))
        spent = by_turns(
            {
                (side, name): partial(send, client, endpoint, name, photos)
                for name in names
                for side, client, endpoint in (("ours", mine, "/stages"), ("theirs", other, "/classify"))
            },
            plan.rounds(ROUNDS),
        )
    return [
        Row(
            f"{name}: upload to everything shown, 640 x 480 JPEG",
            "ms",
            Measure.of(spent["ours", name]),
            Measure.of(spent["theirs", name]),
            OPPONENT,
            at_least=FASTER[name],
        )
        for name in names
    ]


def send(client: Client, endpoint: str, name: str, photos: itertools.cycle[Path]) -> Any:
    """What the app answers to the next photo."""
    return client.predict(handle_file(next(photos)), name, api_name=endpoint)


def check(name: str, ours: Any, theirs: Any) -> None:
    """Raises AssertionError unless both sent everything."""
    labels, path = ours
    assert len(labels["predictions"]) == len(theirs[0]["confidences"]) == 5
    assert decode_pack(Path(path).read_bytes()).variant == name
    assert [plot["type"] for plot in theirs[1:]] == ["matplotlib"] * 4
