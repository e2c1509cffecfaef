"""Many callers, one network at a time: in order, together where they fit, each with his own answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

from poolformer.errors import CancelledError
from poolformer.inference.batching import BatchRunner


class Held:
    """A network that doubles; each batch waits until it is let go, and is remembered."""

    def __init__(self):
        self.batches, self.begun, self._gate = [], threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, x):
        self.batches.append(x[:, 0, 0, 0].tolist())
        self.begun.release()
        assert self._gate.acquire(timeout=20)
        return SimpleNamespace(logits=2 * x[:, :, 0, 0], hidden_states=(x, 3 * x))

    def let_go(self, batches=1):
        self._gate.release(batches)


def picture(number, size=2):
    return torch.full((1, 3, size, size), float(number))


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def runner():
    return BatchRunner(max_batch=4)


def send(pool, runner, network, x, cancelled=None):
    """The answer to come, once the request is in the queue."""
    before = len(runner._waiting)
    answer = pool.submit(runner.run, network, x, cancelled)
    while len(runner._waiting) == before and not answer.done():
        threading.Event().wait(0.001)
    return answer


@pytest.fixture
def busy(pool, runner):
    """A network that has begun with picture 0."""
    network = Held()
    network.first = pool.submit(runner.run, network, picture(0))
    assert network.begun.acquire(timeout=20)
    return network


def test_what_waits_goes_together_in_order_and_each_gets_his_own(pool, runner, busy):
    answers = [send(pool, runner, busy, picture(number)) for number in range(1, 7)]
    busy.let_go(3)
    assert [answer.result().logits.tolist() for answer in answers] == [[2.0 * n] * 3 for n in range(1, 7)]
    assert busy.batches == [[0], [1, 2, 3, 4], [5, 6]]
    assert [answer.result().batch_size for answer in answers] == [4] * 4 + [2] * 2
    assert busy.first.result().batch_size == 1
    for number, answer in enumerate(answers, start=1):
        one, two = answer.result().hidden_states
        assert one.shape == (3, 2, 2)
        assert bool((one == number).all())
        assert bool((two == 3 * number).all())


def test_another_network_or_size_waits_for_its_turn_and_is_not_overtaken_for_long(pool, runner, busy):
    other = Held()
    answers = [
        send(pool, runner, busy, picture(1)),
        send(pool, runner, other, picture(2)),
        send(pool, runner, busy, picture(3, size=4)),
        send(pool, runner, busy, picture(4)),
        send(pool, runner, other, picture(5)),
    ]
    busy.let_go(3)
    other.let_go(1)
    assert [float(answer.result().logits[0]) for answer in answers] == [2, 4, 6, 8, 10]
    assert busy.batches == [[0], [1, 4], [3]]
    assert other.batches == [[2, 5]]


def test_a_request_that_nobody_waits_for_is_not_computed(pool, runner, busy):
    cancelled = threading.Event()
    answers = [send(pool, runner, busy, picture(1), cancelled), send(pool, runner, busy, picture(2))]
    cancelled.set()
    with pytest.raises(CancelledError, match="was cancelled; send it again"):
        answers[0].result(timeout=20)
    busy.let_go(2)
    assert float(answers[1].result().logits[0]) == 4
    assert busy.batches == [[0], [2]]


def test_a_request_that_was_cancelled_before_is_not_even_queued(runner):
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(CancelledError):
        runner.run(None, picture(1), cancelled)


def test_whoever_leaves_while_his_batch_runs_does_not_wait_for_it_and_spoils_nothing(pool, runner, busy):
    cancelled = threading.Event()
    answers = [send(pool, runner, busy, picture(1), cancelled), send(pool, runner, busy, picture(2))]
    busy.let_go()
    assert busy.begun.acquire(timeout=20)  # both are in the network now
    cancelled.set()
    with pytest.raises(CancelledError):
        answers[0].result(timeout=20)
    busy.let_go()
    assert float(answers[1].result().logits[0]) == 4


def test_an_error_goes_to_those_whose_batch_it_was(runner):
    def fail(_x):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        runner.run(fail, picture(1))
    network = Held()
    network.let_go()
    assert float(runner.run(network, picture(2)).logits[0]) == 4
