"""What the figures of a run depend on besides the code: machine, versions, date."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch

LIBRARIES = ("torch", "gradio", "transformers", "pillow", "numpy")
CPU_INFO = Path("/proc/cpuinfo")  # Linux only


def surroundings() -> dict[str, str]:
    """Names and values, in words."""
    found = {
        "date": datetime.date.today().isoformat(),
        "processor": f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }
    if torch.cuda.is_available():
        found["GPU"] = torch.cuda.get_device_name()
    return found


def sentence(found: Mapping[str, str]) -> str:
    """The surroundings as a line under a table."""
    return "; ".join(f"{name}: {value}" for name, value in found.items()) + "."


def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16 by itself; without that it is no gain."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _processor() -> str:
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
