"""One file over HTTP: resumed when the connection breaks, refused when it is not what was announced."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import httpx2

from poolformer.weights.integrity import matches
from poolformer.weights.watch import Watch

PAUSES_S = (0.5, 1.0)  # seconds between two tries: inside the 5 s in which a fetch that cannot succeed says so
TRIES = len(PAUSES_S) + 1  # of one request in a row without a byte of progress
BUSY_STATUSES = (429, 500, 502, 503, 504)  # the server says that it is its own fault, or only for now
TRANSIENT_ERRORS = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
FULL_FETCHES = 2  # a file that arrives damaged is fetched once more, from its first byte

_T = TypeVar("_T")


class DamagedError(Exception):
    """What arrived of the file of this name is not what was announced, each time."""


class Bar(Protocol):
    """What a progress bar has to understand: so many bytes more, or fewer."""

    def update(self, n: int) -> object: ...


@dataclass(frozen=True)
class Announcement:
    """What the server said of a file: `etag` is a hash of the content, `size_bytes` None where it did not tell."""

    name: str
    etag: str
    size_bytes: int | None


# Opens the body of the file from the byte with this number on.
OpenBody = Callable[[int], AbstractContextManager[httpx2.Response]]


def is_busy(error: Exception) -> bool:
    """Whether a server said that the same request may succeed a moment later.

    Not if it asks for a longer pause than we make: asking again sooner would be bad manners.
    """
    response = getattr(error, "response", None)
    if not isinstance(response, httpx2.Response) or response.status_code not in BUSY_STATUSES:
        return False
    return (pause_asked_s(response) or 0) <= max(PAUSES_S)


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed a moment later, because a server is busy or a connection broke."""
    return isinstance(error, TRANSIENT_ERRORS) or is_busy(error)


def pause_asked_s(response: httpx2.Response) -> float | None:
    """The seconds after which a busy server wants to be asked again, if it says (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def try_again(call: Callable[[], _T], watch: Watch, when: Callable[[Exception], bool]) -> _T:
    """What `call` returns, tried at most `TRIES` times while it fails with errors that `when` accepts."""
    for pause_s in PAUSES_S:
        try:
            return call()
        except Exception as error:
            if not when(error):
                raise
        watch.pause(pause_s)
    return call()


def download(
    announced: Announcement,
    target: Path,
    open_body: OpenBody,
    new_bar: Callable[[], AbstractContextManager[Bar]],
    watch: Watch,
) -> None:
    """Puts a file at `target`, whole and checked, in one step; nothing is there before, and nothing beside it after.

    Raises:
        DamagedError: what came is not what was announced, `FULL_FETCHES` times.
        httpx2.HTTPError: the server cannot be had, or refuses.
        OSError: the disk.
    """
    for _ in range(FULL_FETCHES):
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.incomplete")  # as huggingface_hub names it
        try:
            with partial.open("xb") as file, new_bar() as bar:
                _receive(announced, file, open_body, bar, watch)
            if _is_as_announced(partial, announced):
                partial.replace(target)
                return
        finally:
            partial.unlink(missing_ok=True)
    raise DamagedError(announced.name)


def _is_as_announced(path: Path, announced: Announcement) -> bool:
    return announced.size_bytes in (None, path.stat().st_size) and matches(path, announced.etag)


def _receive(announced: Announcement, file: BinaryIO, open_body: OpenBody, bar: Bar, watch: Watch) -> None:
    """Writes the body to `file`, resumed after breaks; ends early when more comes than was announced."""
    tries = 0
    while True:
        start = file.tell()
        try:
            with open_body(start) as response:
                if start and response.status_code != httpx2.codes.PARTIAL_CONTENT:  # the whole file again
                    bar.update(-start)
                    file.seek(0)
                    file.truncate()
                for chunk in response.iter_bytes():  # as they come: every byte counts when the connection breaks
                    file.write(chunk)
                    bar.update(len(chunk))
                    watch.moved()
                    if announced.size_bytes is not None and file.tell() > announced.size_bytes:
                        return
            return
        except Exception as error:
            tries = 1 if file.tell() > start else tries + 1
            if tries >= TRIES or not is_transient(error):
                raise
        watch.pause(PAUSES_S[tries - 1])
