"""A demo whose runs wait until the test says how they go on; see held_app.py."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from held_app import BREAK, GO
from serving import Served, free_port, serve_process

from poolformer.weights.variants import variant

PATIENCE_S = 60


class HeldRun:
    """A run that has begun and waits."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_S)
        self._connection = connection

    def go_on(self) -> None:
        self._connection.send(GO)

    def fail(self) -> None:
        self._connection.send(BREAK)

    def wait_until_it_ends(self) -> None:
        """Raises TimeoutError if it does not."""
        assert self._connection.recv(1) == b""

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class HeldDemo:
    """A demo with two variants at hand: tiny, and the same under the name twin, which is the default."""

    served: Served
    listener: socket.socket
    runs: list[HeldRun] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.served.url

    def next_run(self) -> HeldRun:
        """Waits until the next run has begun."""
        self.runs.append(HeldRun(self.listener.accept()[0]))
        return self.runs[-1]

    def has_another_run(self) -> bool:
        """Whether a run has begun that nobody has waited for."""
        self.listener.settimeout(0)
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        finally:
            self.listener.settimeout(PATIENCE_S)
        return True


@contextmanager
def serve_held(folder: Path, **settings: str) -> Iterator[HeldDemo]:
    """The demo of held_app.py with these environment variables and an empty cache."""
    shutil.copytree(variant("tiny").folder, folder / "twin")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        port = str(listener.getsockname()[1])
        settings |= {"HOLD_PORT": port, "OWN_CHECKPOINT": str(folder / "twin")}
        with serve_process(folder, f"http://127.0.0.1:{free_port()}", "tests/held_app.py", **settings) as served:
            demo = HeldDemo(served, listener)
            try:
                yield demo
            finally:
                for run in demo.runs:
                    run.close()
