"""Work shared among the cores: all of it is done, whoever does it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import pytest

from poolformer.images import sharing
from poolformer.images.sharing import share_out


@pytest.fixture(autouse=True)
def _three_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sharing, "core_count", lambda: 3)
    sharing._helpers.cache_clear()
    yield
    sharing._helpers.cache_clear()


def test_every_piece_is_done_once() -> None:
    done: list[int] = []
    share_out(done.append, range(1000))
    assert sorted(done) == list(range(1000))


def test_the_cores_work_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)  # opens only for three at once
    share_out(lambda _: meeting.wait(), range(3))


def test_nobody_waits_for_helpers_that_are_busy() -> None:
    free = threading.Event()
    for _ in range(2):
        sharing._helpers().submit(free.wait)
    done: list[int] = []
    share_out(done.append, range(10))
    free.set()
    assert done == list(range(10))


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_what_a_piece_raises_is_raised(bad: int) -> None:
    meeting = threading.Barrier(3, timeout=30)

    def work(piece: int) -> None:
        meeting.wait()  # each piece in another thread
        if piece == bad:
            raise MemoryError(f"piece {piece}")

    with pytest.raises(MemoryError, match=f"piece {bad}"):
        share_out(work, range(3))
    done: list[int] = []
    share_out(done.append, range(5))
    assert sorted(done) == list(range(5))


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")  # from Python 3.12 on
def test_a_forked_process_has_helpers_of_its_own() -> None:
    share_out(id, range(3))
    before = sharing._helpers()
    assert sharing._helpers() is before
    context = multiprocessing.get_context("fork")
    process = context.Process(target=test_the_cores_work_at_the_same_time)
    process.start()
    process.join(60)
    assert process.exitcode == 0
