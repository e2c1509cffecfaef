"""The files of uploads and results: in a folder of their own, and removed when they are old or too many.

Gradio's own `delete_cache` has no bound on bytes, leaves empty folders and what was uploaded by halves, and ends for
good when a file is uploaded while it looks.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from poolformer.ui.settings import MAX_FILE_AGE_S, MAX_FILES, MAX_FILES_BYTES, SWEEP_S

EMPTY_S = 60  # seconds for which an empty folder stays: somebody may be about to write into it


@dataclass(frozen=True)
class Bounds:
    """What is left in a folder after it was swept: nothing older, and no more than this."""

    max_age_s: float = MAX_FILE_AGE_S
    max_bytes: int = MAX_FILES_BYTES
    max_files: int = MAX_FILES


def use_own_folder() -> None:
    """Has Gradio put files into a new folder, which goes with this process, unless GRADIO_TEMP_DIR names another.

    Gradio's default is one folder for all apps of a user, and each serves the files of all. Call this before any
    component is made.
    """
    if not os.environ.get("GRADIO_TEMP_DIR"):
        folder = tempfile.mkdtemp(prefix="poolformer-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["GRADIO_TEMP_DIR"] = folder


def keep_swept(demo: gr.Blocks) -> threading.Thread:
    """A daemon thread that sweeps Gradio's folder every `SWEEP_S` seconds, started; what `demo` always shows stays."""

    def run() -> None:
        while True:
            time.sleep(SWEEP_S)
            sweep(Path(get_upload_folder()), {path for block in demo.blocks.values() for path in block.keep_in_cache})
            for paths in demo.temp_file_sets:  # Gradio never forgets a file that it has not removed itself.
                paths.difference_update([path for path in tuple(paths) if not os.path.exists(path)])

    thread = threading.Thread(target=run, name="sweep", daemon=True)
    thread.start()
    return thread


def sweep(folder: Path, kept: Collection[str] = (), bounds: Bounds = Bounds()) -> None:
    """Removes files under `folder` that are too old, then the oldest until the rest is within the bounds.

    Files whose paths are in `kept` stay and do not count. Folders that have been empty for a minute go, too.
    """
    now, files = time.time(), sorted(_files(folder, kept))
    total_bytes, count = sum(size for _, size, _ in files), len(files)
    for changed_at, size, path in files:
        if now - changed_at <= bounds.max_age_s and total_bytes <= bounds.max_bytes and count <= bounds.max_files:
            break
        path.unlink(missing_ok=True)
        total_bytes, count = total_bytes - size, count - 1
    for subfolder, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # It is not empty, or somebody else has removed it.
            if subfolder != str(folder) and now - os.stat(subfolder).st_mtime > EMPTY_S:
                os.rmdir(subfolder)


def _files(folder: Path, kept: Collection[str]) -> list[tuple[float, int, Path]]:
    """When each file was changed, its size in bytes, and its path."""
    files = []
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names):
            with suppress(FileNotFoundError):  # a file that went while we looked
                if str(path) not in kept:
                    files.append((path.stat().st_mtime, path.stat().st_size, path))
    return files
