"""Whether a cached file holds what the Hub said it would: its blob is named for a hash of the content.

The Hub gives each file an ETag, and huggingface_hub's cache names the blob for it: sha256 for files in large-file
storage, git's object id (sha1 over a header with the size and the content) for all others. Hashing an s12 (48 MB) takes
27 ms, less than reading it into a network; a file that has been found intact is not hashed again by this process as
long as its size and its time of change stay.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path

BLOBS_NAME = "blobs"  # the folder of a cached repository whose files are named for their content
SHA256 = re.compile(r"[0-9a-f]{64}")
GIT_SHA1 = re.compile(r"[0-9a-f]{40}")
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


def matches(path: Path, etag: str) -> bool:
    """Whether the content of a file has the hash `etag`; True for an ETag that is no hash.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as content:
        if SHA256.fullmatch(etag):
            return hashlib.file_digest(content, "sha256").hexdigest() == etag
        if GIT_SHA1.fullmatch(etag):
            header = b"blob %d\0" % os.fstat(content.fileno()).st_size
            return hashlib.file_digest(content, lambda: hashlib.sha1(header)).hexdigest() == etag
    return True


def _blob_name(path: Path) -> str | None:
    """The name of the blob that `path` is or links to. One link only: the blob may itself link to a shared store."""
    if path.is_symlink() and path.parent.name != BLOBS_NAME:
        path = path.parent / path.readlink()
    return path.name if path.parent.name == BLOBS_NAME else None


@lru_cache(maxsize=REMEMBERED_FILES)
def _has_digest(path: Path, etag: str, _size: int, _mtime_ns: int, _inode: int) -> bool:
    """`matches`, remembered for a file that has not changed."""
    return matches(path, etag)
