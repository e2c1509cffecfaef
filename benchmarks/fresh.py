"""Time in a process of its own, from its start to its first line of output: imports and all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tests.serving import ROOT


def run_fresh(code: str, arguments: Sequence[str] = (), settings: Mapping[str, str] | None = None) -> str:
    """The first line that `python -c code arguments` writes, as soon as it is there; the process is then ended.

    Raises:
        subprocess.CalledProcessError: it wrote none.
    """
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(settings or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    if not line:
        raise subprocess.CalledProcessError(process.returncode, command)
    return line.strip()
