"""Apps in processes of their own, and clients that call them over HTTP."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from gradio_client import Client

from benchmarks.plan import Plan
from tests.serving import Served, free_port, serve_process

OBVIOUS, HELLO = "benchmarks/obvious_app.py", "benchmarks/hello_app.py"


def serve(
    plan: Plan, script: str = "app.py", cache_dir: Path | None = None, arguments: tuple[str, ...] = ()
) -> AbstractContextManager[Served]:
    """An app that runs, without network: its models come from this Hub cache, by default an empty one."""
    folder = plan.subfolder(Path(script).stem)
    return serve_process(
        folder,
        f"http://127.0.0.1:{free_port()}",
        script,
        arguments,
        GRADIO_ANALYTICS_ENABLED="False",
        HF_HUB_CACHE=str(cache_dir or folder / "hub"),
        HF_HUB_OFFLINE="1",
    )


def connect(plan: Plan, url: str) -> Client:
    """A visitor of its own, who keeps what is sent."""
    return Client(url, verbose=False, download_files=str(plan.subfolder("downloads")), analytics_enabled=False)
