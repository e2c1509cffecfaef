"""A variant that cannot be had, or must not be used, and the ones that are in use meanwhile."""

import pickle
import shutil
import socket

import pytest
import torch
from checkpoints import SMALL, build_oracle, write_checkpoint
from disks import full, read_only
from hub_faults import answer_page, cut, refuse, spoil
from safetensors.torch import load_file, save_file
from test_checkpoint import Payload

from poolformer.errors import PoolFormerError
from poolformer.service import PoolFormerService
from poolformer.weights.checkpoint import load_checkpoint

pytestmark = pytest.mark.usefixtures("quick_network")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("good") / "small", build_oracle(**SMALL, labels=5))


@pytest.fixture
def broken(checkpoint, tmp_path):
    """A copy of the checkpoint, to be broken."""
    return shutil.copytree(checkpoint, tmp_path / "broken")


@pytest.fixture
def service(hub, checkpoint, tmp_path):
    """With s12 in the cache and in use."""
    hub.publish("sail/poolformer_s12", checkpoint)
    service = PoolFormerService(cache_dir=tmp_path / "cache", endpoint=hub.endpoint)
    service.prepare("s12")
    return service


@pytest.fixture
def later_service(hub, tmp_path):
    """With the same cache, and nothing loaded yet."""
    return PoolFormerService(cache_dir=tmp_path / "cache", endpoint=hub.endpoint)


def without_a_key(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["norm.bias"]
    save_file(tensors, folder / "model.safetensors")


def with_another_shape(folder):
    tensors = load_file(folder / "model.safetensors") | {"classifier.bias": torch.zeros(6)}
    save_file(tensors, folder / "model.safetensors")


def with_code(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"norm.weight": Payload(folder.parent / "executed")}, 2))


def as_a_page(folder):
    (folder / "model.safetensors").write_bytes(b"<html>Please log in</html>")


def of_another_kind(folder):
    (folder / "config.json").write_text('{"model_type": "resnet", "depths": []}')


CONTENTS = {
    without_a_key: r"do not fit their config: 1 missing \(norm\.bias\)",
    with_another_shape: r"classifier\.bias \(6,\) instead of \(5,\)",
    with_code: "was refused and nothing in it was run",
    as_a_page: r"model\.safetensors is damaged or incomplete",
    of_another_kind: "depths|model_type",
}
FAULTS = {
    "busy": (refuse(503), "503"),
    "too many requests": (refuse(429), "429"),
    "refused": (refuse(403), "403"),
    "a log-in page": (answer_page, "is not the Hub"),
}


def assert_in_use(service, cat, before):
    """s12 is the very object that it was, and classifies."""
    assert service.prepare("s12") is before
    assert len(service.classify(cat, "s12").predictions) == 5


@pytest.mark.parametrize("break_it", CONTENTS, ids=lambda break_it: break_it.__name__)
def test_a_checkpoint_that_must_not_be_used_leaves_the_one_in_use(break_it, service, hub, broken, cat, tmp_path):
    break_it(broken)
    hub.publish("sail/poolformer_s24", broken)
    before = service.prepare("s12")
    for _ in range(2):  # fetched, then from the cache
        with pytest.raises(PoolFormerError, match=CONTENTS[break_it]):
            service.classify(cat, "s24")
    assert_in_use(service, cat, before)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_hub_that_cannot_be_had_leaves_the_cached_variants(fault, service, hub, cat, tmp_path):
    answer, words = FAULTS[fault]
    hub.misbehave("", answer)
    before = service.prepare("s12")
    with pytest.raises(PoolFormerError, match=words):
        service.classify(cat, "s24")
    assert_in_use(service, cat, before)
    assert load_checkpoint("s12", cache_dir=tmp_path / "cache", endpoint=hub.endpoint).source == "cache"


@pytest.mark.parametrize("damage", [spoil(lambda content: content[::-1]), cut(0), answer_page])
def test_weights_that_arrive_damaged_leave_the_one_in_use_and_can_be_fetched_later(
    damage, service, hub, checkpoint, cat
):
    hub.publish("sail/poolformer_s24", checkpoint)
    hub.misbehave("/storage/", damage)
    before = service.prepare("s12")
    with pytest.raises(PoolFormerError, match="s24 cannot be fetched"):
        service.classify(cat, "s24")
    assert_in_use(service, cat, before)
    hub.behave()
    assert service.prepare("s24").source == "hub"


@pytest.mark.usefixtures("service")
def test_a_cached_variant_is_ready_where_there_is_no_network_at_all(later_service, cat, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert len(later_service.classify(cat, "s12").predictions) == 5


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("disk", ["read-only", "full"])
def test_a_disk_that_cannot_be_written_leaves_the_cached_variants(disk, later_service, hub, checkpoint, cat, tmp_path):
    hub.publish("sail/poolformer_s24", checkpoint)
    with read_only(tmp_path) if disk == "read-only" else full(0):
        with pytest.raises(PoolFormerError, match="check that the cache folder can be written and its disk has space"):
            later_service.classify(cat, "s24")
        assert len(later_service.classify(cat, "s12").predictions) == 5
    assert len(later_service.classify(cat, "s24").predictions) == 5
