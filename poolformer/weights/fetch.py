"""The files of one commit, from a repository on the Hub into the cache: asked for, fetched, checked, linked."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2

from poolformer.weights.cache import RepositoryCache
from poolformer.weights.diagnosis import MissingError
from poolformer.weights.files import NAMES, PARTS, PREPROCESSOR_NAME, Part
from poolformer.weights.integrity import is_intact
from poolformer.weights.transfer import Announcement, Bar, download, is_busy, is_transient, try_again
from poolformer.weights.watch import Watch

PREFLIGHT_S = 4.0  # seconds for the Hub's first answer: a second of room below the 5 s that we promise
READ_TIMEOUT_S = 10.0  # seconds to connect, and between two bytes; the default of huggingface_hub too
STALL_S = 45.0  # seconds without progress: three such timeouts and the pauses between fit; below the promised 60 s


@dataclass(frozen=True)
class Answer:
    """What the Hub says of one file: the commit that was meant, and the file, None if the commit lacks it."""

    commit: str
    announced: Announcement | None


class Repository(Protocol):
    """One repository on the Hub; every method but `new_bar` raises what it likes when it fails."""

    def ask(self, name: str, revision: str, timeout_s: float) -> Answer:
        """What the Hub says of a file, asked once."""

    def open_body(
        self, name: str, commit: str, start: int, timeout_s: float
    ) -> AbstractContextManager[httpx2.Response]:
        """The content of a file from the byte number `start` on."""

    def new_bar(self, announced: Announcement) -> AbstractContextManager[Bar]:
        """The progress bar of a file, in bytes."""

    def lock_file(self, path: Path, timeout_s: float) -> AbstractContextManager[object]:
        """A lock between processes; entering it raises TimeoutError after `timeout_s` seconds."""


def find_cached(cache: RepositoryCache, revision: str, parts: Collection[Part]) -> Path | None:
    """The cached snapshot folder if it holds all of `parts`; no network.

    A preprocessor config may be missing where the weights are there, which are fetched last, or where the Hub has said
    that the repository has none.
    """
    commit = cache.commit(revision)
    folder = cache.snapshot(commit)
    missing = [part for part in parts if not any((folder / name).is_file() for name in NAMES[part])]
    if "weights" in parts or cache.is_known_missing(commit, PREPROCESSOR_NAME):
        missing = [part for part in missing if part != "preprocessor"]
    return None if missing or not folder.is_dir() else folder


def fetch_parts(
    repository: Repository, cache: RepositoryCache, revision: str, parts: Collection[Part], watch: Watch
) -> Path:
    """The snapshot folder with `parts`, all of one commit; only what the cache lacks is fetched.

    The first answer has the time that `watch` was made with; after it, `STALL_S` without progress are the limit.

    Raises:
        MissingError: the repository has no config.json or no weights.
        Exception: whatever `repository` raises, transient failures only after some tries.
    """
    commit = revision
    for part in sorted(parts, key=PARTS.index):  # weights last, so that weights in a snapshot mean that it is complete
        for name in NAMES[part]:
            if (cache.snapshot(commit) / name).is_file():
                break
            if cache.is_known_missing(commit, name):
                continue
            answer = _ask(repository, name, commit, watch, is_first=commit == revision)
            commit = answer.commit  # A branch may move between two files; a commit does not.
            if answer.announced is not None:
                _store(repository, cache, commit, answer.announced, watch)
                break
            cache.mark_missing(commit, name)
        else:
            if part != "preprocessor":
                raise MissingError(" and no ".join(NAMES[part]))
    folder = cache.snapshot(commit)
    folder.mkdir(parents=True, exist_ok=True)  # where the preprocessor config was all that was asked for
    return folder


def _ask(repository: Repository, name: str, revision: str, watch: Watch, is_first: bool) -> Answer:
    """What the Hub says of a file. The first question has little time, so that only a busy server is asked again."""
    timeout_s, when = (PREFLIGHT_S, is_busy) if is_first else (READ_TIMEOUT_S, is_transient)
    answer = try_again(lambda: repository.ask(name, revision, timeout_s), watch, when)
    watch.moved(STALL_S)
    return answer


def _store(repository: Repository, cache: RepositoryCache, commit: str, announced: Announcement, watch: Watch) -> None:
    """Puts a file into the commit's snapshot, fetched unless its content is in the cache already.

    Another process may have fetched it while this one waited for the lock.
    """
    pointer, blob = cache.snapshot(commit) / announced.name, cache.blob(announced.etag)
    blob.parent.mkdir(parents=True, exist_ok=True)
    with cache.locked(announced.etag, repository.lock_file, watch.moved):
        if pointer.is_file() and is_intact(pointer):
            return
        if not blob.is_file() or not is_intact(blob):
            download(
                announced,
                blob,
                lambda start: repository.open_body(announced.name, commit, start, READ_TIMEOUT_S),
                lambda: repository.new_bar(announced),
                watch,
            )
        cache.link(commit, announced.name, announced.etag)
