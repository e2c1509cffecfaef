"""A small crowd over HTTP and variants that are switched all the time; benchmarks/load.py does it with a large one."""

from functools import partial

import pytest
from networks import randomise
from serving import free_port, serve_process

from benchmarks.crowd import send_all
from benchmarks.load import switch
from benchmarks.visitor import open_visitors
from benchmarks.visits import plan_visits, send_visit
from poolformer import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.inference.engine import Engine
from poolformer.service import PoolFormerService

VISITORS, REQUESTS, PHOTOS = 8, 60, 12
SMALL = "small"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network of a few thousand random weights."""
    folder = tmp_path_factory.mktemp("checkpoints") / SMALL
    config = PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 12, 16, 20], num_labels=7)
    randomise(PoolFormerForImageClassification(config)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def visits(checkpoint, tmp_path_factory):
    service = PoolFormerService(own_checkpoint=checkpoint)
    return plan_visits(service, tmp_path_factory.mktemp("pictures"), ["tiny", SMALL], PHOTOS, REQUESTS)


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_no_request_of_a_crowd_is_lost_or_mixed_up(checkpoint, visits, tmp_path):
    hub = f"http://127.0.0.1:{free_port()}"
    with (
        serve_process(tmp_path, hub, arguments=("--checkpoint", str(checkpoint))) as app,
        open_visitors(app.url, VISITORS) as visitors,
    ):
        count_before = len(files_in(app.temporary))
        crowd = send_all([partial(send_visit, visitor) for visitor in visitors], visits)
        count_after = len(files_in(app.temporary))
    assert [complaint for complaint in crowd.answers if complaint] == []
    assert len(crowd.answers) == REQUESTS
    assert count_after - count_before <= REQUESTS


def test_switching_under_load_shows_no_half_model_and_keeps_the_budget(checkpoint, visits):
    service = PoolFormerService(own_checkpoint=checkpoint)
    sizes = [service.prepare(name).nbytes for name in ("tiny", SMALL)]
    budget_bytes = sum(sizes) - 1
    engine = Engine(budget_bytes, folders={SMALL: checkpoint})
    wrong, most_loaded = switch(engine, budget_bytes, visits, VISITORS)
    assert wrong.ours.median == 0, wrong.what
    assert most_loaded.met, most_loaded
    assert most_loaded.ours.median > 0
