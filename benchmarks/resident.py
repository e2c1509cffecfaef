"""What a process has in memory; Linux only, which counts this for each process."""

from __future__ import annotations

import re
from pathlib import Path

from poolformer.errors import PoolFormerError


def resident_bytes(pid: int | str = "self") -> int:
    """What the process has in memory now."""
    return _status(pid, "VmRSS")


def peak_bytes(pid: int | str = "self") -> int:
    """The most that the process ever had in memory."""
    return _status(pid, "VmHWM")


def _status(pid: int | str, name: str) -> int:
    path = Path("/proc") / str(pid) / "status"
    if not path.exists():
        raise PoolFormerError("Memory is measured on Linux only; leave out `memory` and `load` with --only.")
    found = re.search(rf"{name}:\s+(\d+) kB", path.read_text(encoding="utf-8"))
    assert found is not None
    return 1024 * int(found[1])
