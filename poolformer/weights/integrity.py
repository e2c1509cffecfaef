"""Whether a cached file holds what the Hub said it would: its blob is named for a hash of the content.

The Hub gives each file an ETag, and huggingface_hub's cache names the blob for it: sha256 for files in large-file
storage, git's object id (sha1 over a header with the size and the content) for all others. Hashing an s12 (48 MB) takes
30 ms, an m48 200, while another thread reads it into a network; a file that has been found intact is not hashed again
by this process as long as its size and its time of change stay.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from io import FileIO
from pathlib import Path

BLOBS_NAME = "blobs"  # the folder of a cached repository whose files are named for their content
SHA256 = re.compile(r"[0-9a-f]{64}")
GIT_SHA1 = re.compile(r"[0-9a-f]{40}")
PIECE_BYTES = 1 << 23  # of a file at once; see `_digest`
REMEMBERED_FILES = 256  # three files a checkpoint, so more checkpoints than a machine has


def is_intact(path: Path) -> bool:
    """Whether a file of the cache has the content that its blob is named for.

    True also for a file with nothing to compare it to: a plain file in a snapshot (a file system without symbolic
    links), or a blob that another kind of server named otherwise.

    Raises:
        OSError: the file cannot be read.
    """
    etag = _blob_name(path)
    if etag is None:
        return True
    status = path.stat()
    return _has_digest(path, etag, status.st_size, status.st_mtime_ns, status.st_ino)


@contextmanager
def hashed_meanwhile(paths: Iterable[Path]) -> Iterator[None]:
    """Hashes files of the cache while the block runs, so that afterwards `is_intact` knows of them at once.

    A file that cannot be read is left to `is_intact`, which says so.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as thread:
        for path in paths:
            thread.submit(is_intact, path)
        yield


def matches(path: Path, etag: str) -> bool:
    """Whether the content of a file has the hash `etag`; True for an ETag that is no hash.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as content:
        if SHA256.fullmatch(etag):
            return _digest(content, hashlib.sha256()) == etag
        if GIT_SHA1.fullmatch(etag):
            return _digest(content, hashlib.sha1(b"blob %d\0" % os.fstat(content.fileno()).st_size)) == etag
    return True


def _digest(content: FileIO, hashed: hashlib._Hash) -> str:
    """The hash of what `hashed` has seen and the whole file, in hexadecimal digits.

    In large pieces, because between two of them this thread has to wait for its turn in the interpreter: with another
    thread busy there, `hashlib.file_digest`, which takes 256 kB at a time, needs many times as long.
    """
    piece = memoryview(bytearray(PIECE_BYTES))
    while size := content.readinto(piece):
        hashed.update(piece[:size])
    return hashed.hexdigest()


def _blob_name(path: Path) -> str | None:
    """The name of the blob that `path` is or links to. One link only: the blob may itself link to a shared store."""
    if path.is_symlink() and path.parent.name != BLOBS_NAME:
        path = path.parent / path.readlink()
    return path.name if path.parent.name == BLOBS_NAME else None


@lru_cache(maxsize=REMEMBERED_FILES)
def _has_digest(path: Path, etag: str, _size: int, _mtime_ns: int, _inode: int) -> bool:
    """`matches`, remembered for a file that has not changed."""
    return matches(path, etag)
