"""File systems that refuse: mounted read-only, or full. What Python calls fails as it would there, whoever runs it."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHANGES = ("symlink", "replace", "rename", "unlink", "rmdir", "utime", "chmod", "truncate")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing in `folder` can be made, changed or removed."""

    def is_inside(path: object) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and folder in Path(os.fsdecode(path)).parents

    def refuse(path: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def guarded(call: Callable[..., Any], is_change: Callable[..., bool]) -> Callable[..., Any]:
        def guard(*args: Any, **options: Any) -> Any:
            inside = next((path for path in args[:2] if is_inside(path)), None)
            if inside is not None and is_change(*args, **options):
                refuse(inside)
            return call(*args, **options)

        return guard

    def writes(_path: object, flags: int = 0, *_args: object, **_options: object) -> bool:
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    def opens_to_write(_path: object, mode: str = "r", *_args: object, **_options: object) -> bool:
        return any(letter in mode for letter in "wax+")

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, guarded(getattr(os, name), lambda *_args, **_options: True))
        # What is there already is found to be there first, as by the kernel.
        patch.setattr(os, "mkdir", guarded(os.mkdir, lambda path, *_args, **_options: not os.path.lexists(path)))
        patch.setattr(os, "open", guarded(os.open, writes))
        patch.setattr(io, "open", guarded(io.open, opens_to_write))
        yield


@contextmanager
def full(free_bytes: int) -> Iterator[None]:
    """Any file that is new, or added to, has room for so many bytes; buffers count only when they are written."""
    usual = Path.open

    class FullFile(io.FileIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(data) > free_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    def open_new(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        if mode == "ab" and options.get("buffering") == 0:
            return FullFile(path, "a")
        return io.BufferedWriter(FullFile(path, "x")) if mode == "xb" else usual(path, mode, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", open_new)
        yield
