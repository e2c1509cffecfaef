"""Loaded variants: each once, within a budget, and nobody waits who has left."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from poolformer.errors import CancelledError, WeightsError
from poolformer.inference.memory import LoadedVariants


def of_size(sizes, loads):
    """A loader of variants with these sizes in bytes, which writes down what it loads."""

    def load(name, _cancelled):
        loads.append(name)
        return SimpleNamespace(name=name, nbytes=sizes[name])

    return load


def test_least_recently_used_ones_go_before_the_budget_is_passed():
    loads = []
    loaded = LoadedVariants(of_size({"a": 4, "b": 4, "c": 3, "d": 10}, loads), 10)
    loaded.get("a"), loaded.get("b"), loaded.get("a")
    assert loaded.nbytes == 8
    loaded.get("c")
    assert ("a" in loaded, "b" in loaded, "c" in loaded) == (True, False, True)
    loaded.get("d")
    assert loaded.nbytes == 10
    assert "a" not in loaded
    assert loads == ["a", "b", "c", "d"]


def test_a_single_one_may_be_larger_than_the_budget():
    loaded = LoadedVariants(of_size({"a": 1, "b": 99}, []), 10)
    loaded.get("a"), loaded.get("b")
    assert loaded.nbytes == 99
    assert "a" not in loaded


def test_requests_for_one_variant_load_it_once_and_others_go_on():
    started, go = threading.Event(), threading.Event()
    loads = []

    def load(name, _cancelled):
        loads.append(name)
        if name == "slow":
            started.set()
            assert go.wait(20)
        return SimpleNamespace(name=name, nbytes=1)

    loaded = LoadedVariants(load, 10)
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(loaded.get, "slow") for _ in range(3)]
        assert started.wait(20)
        assert loaded.get("quick").name == "quick"
        assert loaded.get("quick") is loaded.get("quick")
        go.set()
        assert len({id(request.result()) for request in slow}) == 1
    assert loads == ["slow", "quick"]


def test_whoever_leaves_while_another_loads_does_not_wait():
    started, go, cancelled = threading.Event(), threading.Event(), threading.Event()

    def load(name, _cancelled):
        started.set()
        assert go.wait(20)
        return SimpleNamespace(name=name, nbytes=1)

    loaded = LoadedVariants(load, 10)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(loaded.get, "a")
        assert started.wait(20)
        second = pool.submit(loaded.get, "a", cancelled)
        cancelled.set()
        with pytest.raises(CancelledError):
            second.result(timeout=20)
        go.set()
        assert first.result().name == "a"


def test_a_load_that_fails_can_be_tried_again():
    outcomes = iter([WeightsError("no network"), SimpleNamespace(name="a", nbytes=1)])

    def load(_name, _cancelled):
        if isinstance(outcome := next(outcomes), Exception):
            raise outcome
        return outcome

    loaded = LoadedVariants(load, 10)
    with pytest.raises(WeightsError):
        loaded.get("a")
    assert "a" not in loaded
    assert loaded.get("a").name == "a"
