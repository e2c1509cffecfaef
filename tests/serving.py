"""The demo as a user starts it: `python app.py` in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
START_DEADLINE_S = 180  # two busy cores take a minute to import gradio and torch
LOOK_EVERY_S = 0.02  # a benchmark measures until when it was not served


@dataclass(frozen=True)
class Served:
    """A demo that runs: its address, its process, the folder where Gradio puts files, and what it prints."""

    url: str
    pid: int
    temporary: Path
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    """A TCP port that nothing listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serve_app(
    folder: Path, hub_endpoint: str, script: str = "app.py", arguments: Sequence[str] = (), **settings: str
) -> Iterator[str]:
    """The address of a running demo; see `serve_process`."""
    with serve_process(folder, hub_endpoint, script, arguments, **settings) as served:
        yield served.url


@contextmanager
def serve_process(
    folder: Path, hub_endpoint: str, script: str = "app.py", arguments: Sequence[str] = (), **settings: str
) -> Iterator[Served]:
    """A running demo whose Hub is `hub_endpoint` and whose caches lie in `folder`.

    `script` is relative to the repository, and is called with `arguments`; `settings` are more environment variables.
    """
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "HF_ENDPOINT": hub_endpoint,
        "HF_HUB_CACHE": str(folder / "hub"),
        "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        **settings,
    }
    with (folder / "app.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, script, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            url = _wait_until_served(f"http://127.0.0.1:{port}/", process, folder / "app.log")
            yield Served(url, process.pid, folder / "gradio", process, folder / "app.log")
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_served(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the demo ended with {process.returncode}:\n{log.read_text()}")
        try:
            with urlopen(url, timeout=5):
                return url
        except URLError:
            time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"the demo did not serve within {START_DEADLINE_S} s:\n{log.read_text()}")
