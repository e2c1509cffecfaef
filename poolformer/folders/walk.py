"""The files below folders, one after the other, in an order that depends on nothing but their names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from poolformer.errors import ImageError


@dataclass(frozen=True)
class FoundFile:
    """A file that was found.

    reason: the sentence that says why it cannot be opened; "" where that is not known yet.
    """

    path: str
    reason: str = ""

    @property
    def name(self) -> str:
        """Its path as text: with forward slashes, and printable."""
        return printable(Path(self.path).as_posix())


@dataclass(frozen=True)
class _Level:
    """A folder that is being walked through.

    identity: the same under whatever name the folder is reached.
    names: what is still to come of it, folders with a slash at their end.
    """

    path: str
    identity: tuple[int, int]
    names: Iterator[str]


def printable(text: str) -> str:
    r"""`text` as any file or terminal can hold it: bytes of a file name that are no UTF-8 are written as escapes.

    >>> printable("\udcff.jpg")
    '\\udcff.jpg'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def find_files(paths: Sequence[str | Path]) -> Iterator[FoundFile]:
    """Each file of `paths`, and each file below a folder of them, by the path that begins with the one given.

    Those of a folder come together, in the order of their names; a path that lies in another one adds nothing. Hidden
    files and folders, and what is neither of the two (sockets, pipes, devices), are left out. Links are followed,
    except to a folder that they lie in themselves. A link that leads nowhere and a folder that cannot be read count as
    files. The names in the folders on the way to a file are in memory, and nothing else of what was found.

    Raises:
        ImageError: (at once) one of `paths` is not there.
    """
    for path in paths:
        if not os.path.exists(path):
            raise ImageError(f"There is no file or folder {printable(str(path))!r}; check its path.")
    given = {os.path.abspath(path): str(Path(path)) for path in paths}
    outermost = [
        path for whole, path in given.items() if not any(str(parent) in given for parent in Path(whole).parents)
    ]
    return _walk([path + "/" if os.path.isdir(path) else path for path in outermost])


def _walk(names: list[str]) -> Iterator[FoundFile]:
    levels = [_Level("", (0, 0), iter(names))]
    while levels:
        name = next(levels[-1].names, None)
        if name is None:
            levels.pop()
            continue
        path = os.path.join(levels[-1].path, name.removesuffix("/"))
        if not name.endswith("/"):
            yield FoundFile(path)
            continue
        try:
            level = _enter(path)
        except OSError as error:
            short = os.path.basename(path) or path
            yield FoundFile(path, f"{short} cannot be read ({error.strerror}); check its permissions.")
            continue
        if level.identity not in (above.identity for above in levels):
            levels.append(level)


def _enter(folder: str) -> _Level:
    """The folder, with all that is to be found in it still to come."""
    status = os.stat(folder)
    with os.scandir(folder) as entries:
        names = sorted(name for entry in entries if not entry.name.startswith(".") and (name := _marked(entry)))
    return _Level(folder, (status.st_dev, status.st_ino), iter(names))


def _marked(entry: os.DirEntry[str]) -> str:
    """The name of a file; of a folder, with a slash at its end; "" of anything else."""
    try:
        if entry.is_dir():
            return entry.name + "/"
        return entry.name if entry.is_file() or entry.is_symlink() else ""
    except OSError:  # a link that leads in circles: whoever opens it finds out what is wrong
        return entry.name
