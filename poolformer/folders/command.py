"""`python -m poolformer classify PATH ... --out FILE`: folders into a table, under a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

from tqdm import tqdm

from poolformer.folders.classify import BATCH_SIZE, classify_files
from poolformer.folders.table import ResultTable
from poolformer.folders.walk import FoundFile, find_files
from poolformer.inference.device import Arithmetic
from poolformer.inference.loading import ReadyVariant, load_variant
from poolformer.weights.variants import variant

STOPPED = 130  # the exit status that shells give to a command that Ctrl-C has ended


def classify_into(
    out: Path, paths: Sequence[str], name: str, arithmetic: Arithmetic, batch_size: int | None = None
) -> int:
    """Adds a row to the table `out` for each file at or below `paths` that has none there, and says how many on stderr.

    Returns the exit status: 0, or 130 after Ctrl-C, which leaves a table that the same call goes on with.

    Raises:
        PoolFormerError: a path leads nowhere, the variant `name` cannot be used, or `out` is no table of it or cannot
            be written.
    """
    find_files(paths)  # What is wrong with the paths or the table is said before the variant is fetched.
    table, batch_size = ResultTable(out, variant(name).name), batch_size or BATCH_SIZE
    try:
        ready = load_variant(name, arithmetic=arithmetic, batch_size=batch_size)
        with table:
            unread_count = _add_rows(table, paths, ready, batch_size)
    except KeyboardInterrupt:
        print(f"\npoolformer: stopped; {out} has {len(table):,} rows, and the same command goes on.", file=sys.stderr)
        return STOPPED
    earlier = f"; {out} had {table.kept:,} rows before" if table.kept else ""
    print(f"{len(table) - table.kept:,} files, {unread_count:,} could not be read{earlier}", file=sys.stderr)
    return 0


def _add_rows(table: ResultTable, paths: Sequence[str], ready: ReadyVariant, batch_size: int) -> int:
    """How many of the new rows are of files that could not be read."""
    unread_count, ended = 0, Event()
    rows = classify_files(_remaining(paths, table), ready, batch_size)
    with closing(rows), tqdm(unit=" files", desc=str(table.path), initial=table.kept) as bar:
        counter = Thread(target=_count, args=(find_files(paths), table.path, bar, ended), daemon=True)
        counter.start()
        try:
            for row in rows:
                table.append(row)
                unread_count += bool(row.error)
                bar.update()
        finally:
            ended.set()
            counter.join()
    return unread_count


def _count(files: Iterator[FoundFile], table_path: Path, bar: tqdm[None], ended: Event) -> None:
    """Tells the bar how long it gets, while it moves: finding millions of files takes a while."""
    count = 0
    for file in files:
        if ended.is_set():
            return
        count += not _is_same(file.path, table_path)
    bar.total = count


def _remaining(paths: Sequence[str], table: ResultTable) -> Iterator[FoundFile]:
    """The files without a row; the table itself, which may lie among them, is none."""
    for file in find_files(paths):
        if file.name not in table and not _is_same(file.path, table.path):
            yield file


def _is_same(path: str, other: Path) -> bool:
    return os.path.basename(path) == other.name and os.path.exists(path) and os.path.samefile(path, other)
