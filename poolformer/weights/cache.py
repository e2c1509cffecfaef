"""huggingface_hub's cache of one repository, on disk: refs name commits, snapshots link to blobs.

The layout is documented in huggingface_hub's guide *Understand caching* and shared with every other program that uses
it: `refs/<branch or tag>` holds a commit, `snapshots/<commit>/<file>` is a symbolic link to `blobs/<etag>`, and an
empty `.no_exist/<commit>/<file>` says that the repository has no such file. Nothing here uses the network.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from poolformer.weights.integrity import BLOBS_NAME, is_intact

SAFE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")  # commits and ETags come from a server and become file names
LOCK_POLL_S = 0.2  # seconds between two looks at a lock that another process holds
LOCK_STALL_S = 20.0  # seconds without a new byte after which its holder counts as hung; see `locked`


@dataclass(frozen=True)
class RepositoryCache:
    """The cached part of one model repository, in `folder`, whether it exists yet or not."""

    cache_dir: Path
    repo_id: str

    @property
    def folder_name(self) -> str:
        return "--".join(["models", *self.repo_id.split("/")])

    @property
    def folder(self) -> Path:
        return self.cache_dir / self.folder_name

    def commit(self, revision: str) -> str:
        """The commit that a branch or tag pointed to when it was last fetched; else the revision itself."""
        try:
            return (self.folder / "refs" / revision).read_text(encoding="utf-8").strip()
        except OSError:
            return revision

    def snapshot(self, commit: str) -> Path:
        """The folder of a commit's files."""
        return self.folder / "snapshots" / commit

    def blob(self, etag: str) -> Path:
        """The file with the content that has this ETag."""
        return self.folder / BLOBS_NAME / etag

    def is_known_missing(self, commit: str, name: str) -> bool:
        """Whether the repository said that the commit has no such file."""
        return (self.folder / ".no_exist" / commit / name).is_file()

    def mark_missing(self, commit: str, name: str) -> None:
        """Remembers that the commit has no such file."""
        mark = self.folder / ".no_exist" / commit / name
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

    def point(self, revision: str, commit: str) -> None:
        """Remembers what commit a branch or tag points to, in one step."""
        reference = self.folder / "refs" / revision
        if revision == commit or self.commit(revision) == commit:
            return
        reference.parent.mkdir(parents=True, exist_ok=True)
        fresh = reference.with_name(f"{reference.name}.{uuid.uuid4().hex[:8]}")
        fresh.write_text(commit, encoding="utf-8")
        fresh.replace(reference)

    def link(self, commit: str, name: str, etag: str) -> Path:
        """The blob as a file of the commit's snapshot; moved there where there are no symbolic links."""
        pointer = self.snapshot(commit) / name
        pointer.parent.mkdir(parents=True, exist_ok=True)
        fresh = pointer.with_name(f".{name}.{uuid.uuid4().hex[:8]}")
        try:
            fresh.symlink_to(os.path.relpath(self.blob(etag), pointer.parent))
        except OSError:
            shutil.move(self.blob(etag), fresh)
        fresh.replace(pointer)
        return pointer

    def discard_damaged(self, commit: str, names: Iterable[str]) -> list[str]:
        """Removes those of a snapshot's files whose content is not what their blob is named for; their names.

        Raises:
            OSError: a file cannot be read, or a damaged one cannot be removed.
        """
        files = [path for name in names if (path := self.snapshot(commit) / name).is_file()]
        damaged = [path for path in files if not is_intact(path)]
        for pointer in damaged:
            (pointer.parent / pointer.readlink()).unlink()
            pointer.unlink()
        return [path.name for path in damaged]

    @contextmanager
    def locked(
        self, etag: str, lock_file: Callable[[Path, float], AbstractContextManager[object]], tick: Callable[[], None]
    ) -> Iterator[None]:
        """Holds the lock under which every user of huggingface_hub fetches this blob.

        `lock_file(path, seconds)` takes a lock or raises TimeoutError; `tick` is called while waiting. Waiting has no
        limit while the partial file of the holder grows. When it has not for `LOCK_STALL_S` seconds, the holder hangs,
        or the lock is a leftover on a file system that cannot lock: then the work goes on without it. That costs a
        second transfer at worst, for blobs are put in place whole and in one step.
        """
        path = self.cache_dir / ".locks" / self.folder_name / f"{etag}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            seen_bytes, moved_at = -1, time.monotonic()
            while time.monotonic() - moved_at < LOCK_STALL_S:
                try:
                    stack.enter_context(lock_file(path, LOCK_POLL_S))
                    break
                except TimeoutError:
                    tick()
                if (partial_bytes := self._partial_bytes(etag)) != seen_bytes:
                    seen_bytes, moved_at = partial_bytes, time.monotonic()
            yield

    def _partial_bytes(self, etag: str) -> int:
        """The bytes that have arrived of a blob that is being fetched."""
        total = 0
        for path in (self.folder / BLOBS_NAME).glob(f"{etag}*.incomplete"):
            with suppress(FileNotFoundError):  # just completed
                total += path.stat().st_size
        return total
