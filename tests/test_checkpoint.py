"""From a name to a ready model, with `transformers` as the oracle."""

import os
import pickle
import shutil
import socket
import tempfile
import threading
from pathlib import Path

import pytest
import torch
from checkpoints import SMALL, assert_same_logits, build_oracle, write_checkpoint
from hub_faults import hang, refuse
from hub_server import local_network
from safetensors.torch import load_file, save_file

from poolformer.errors import HubUnreachableError, UnknownVariantError, WeightsError
from poolformer.weights import integrity, variants
from poolformer.weights.availability import availability
from poolformer.weights.checkpoint import load_as, load_checkpoint
from poolformer.weights.variants import VARIANTS

ONLY_PICKLED = ("s24", "s36")  # the repositories whose main branch has no model.safetensors


@pytest.fixture(scope="module", autouse=True)
def _reach_this_machine():
    with local_network():
        yield


@pytest.fixture
def scratch():
    """A folder that is gone after the test, because the larger checkpoints would fill a disk."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def small_oracle():
    return build_oracle(**SMALL, labels=5)


@pytest.fixture
def small_folder(tmp_path, small_oracle):
    return write_checkpoint(tmp_path / "small", small_oracle)


@pytest.fixture
def picture():
    return torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


# From the Hub


@pytest.mark.parametrize("name", VARIANTS)
def test_each_published_variant_is_fetched_once_and_then_opens_without_a_request(name, scratch, hub, picture):
    row = VARIANTS[name]
    oracle = build_oracle(row.depths, row.hidden_sizes)
    hub.publish(row.hub_id, write_checkpoint(scratch / name, oracle, row.crop_pct, pickled=name in ONLY_PICKLED))
    fetched = load_checkpoint(name, cache_dir=scratch / "cache", endpoint=hub.endpoint)
    assert fetched.source == "hub"
    assert fetched.processor.crop_pct == row.crop_pct
    assert fetched.labels == tuple(f"thing {i}" for i in range(1000))
    assert_same_logits(fetched.model, oracle, picture)

    hub.requests.clear()
    again = load_checkpoint(name, cache_dir=scratch / "cache", endpoint=hub.endpoint)
    assert again.source == "cache"
    assert hub.requests == []
    assert_same_logits(again.model, oracle, picture)


def test_a_model_is_ready_to_classify(small_folder):
    model = load_checkpoint(small_folder).model
    assert not model.training
    assert all(p.dtype == torch.float32 and p.device.type == "cpu" for p in model.parameters())
    assert not any(p.requires_grad for p in model.parameters())


def test_a_repository_without_preprocessor_config_gets_the_crop_of_the_table(hub, small_folder, tmp_path):
    (small_folder / "preprocessor_config.json").unlink()
    hub.publish("sail/poolformer_m36", small_folder)
    assert load_checkpoint("m36", cache_dir=tmp_path / "cache", endpoint=hub.endpoint).processor.crop_pct == 0.95


def test_a_cache_without_weights_is_completed(hub, small_folder, tmp_path):
    commit = hub.publish("sail/poolformer_s12", small_folder)
    load_checkpoint("s12", cache_dir=tmp_path / "cache", endpoint=hub.endpoint)
    snapshot = tmp_path / "cache" / "models--sail--poolformer_s12" / "snapshots" / commit
    (snapshot / "model.safetensors").unlink()
    assert availability("s12", cache_dir=tmp_path / "cache").state == "remote"
    assert load_checkpoint("s12", cache_dir=tmp_path / "cache", endpoint=hub.endpoint).source == "hub"


def test_cached_weights_are_hashed_once_and_beside_the_reading(hub, small_folder, tmp_path, monkeypatch):
    hub.publish("sail/poolformer_s12", small_folder)
    options = {"cache_dir": tmp_path / "cache", "endpoint": hub.endpoint}
    load_checkpoint("s12", **options)
    os.utime(next((tmp_path / "cache").rglob("snapshots/*/model.safetensors")))
    matches, threads = integrity.matches, {}
    monkeypatch.setattr(
        integrity,
        "matches",
        lambda path, etag: threads.setdefault(path.name, []).append(threading.current_thread()) or matches(path, etag),
    )
    for _ in range(2):
        assert load_checkpoint("s12", **options).source == "cache"
    [thread] = threads["model.safetensors"]
    assert thread is not threading.current_thread()


def test_what_was_made_of_damaged_weights_is_thrown_away(hub, small_folder, small_oracle, picture, tmp_path):
    hub.publish("sail/poolformer_s12", small_folder)
    options = {"cache_dir": tmp_path / "cache", "endpoint": hub.endpoint}
    load_checkpoint("s12", **options)
    weights = next((tmp_path / "cache").rglob("snapshots/*/model.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 0x40]))  # the last number: as good as any to a reader
    made = []
    checkpoint = load_as("s12", lambda checkpoint: made.append(checkpoint) or checkpoint, **options)
    assert [each.source for each in made] == ["cache", "hub"]
    assert checkpoint is made[1]
    assert_same_logits(checkpoint.model, small_oracle, picture)


def test_weights_of_the_cache_that_are_intact_but_do_not_fit_are_told(hub, small_folder, tmp_path):
    save_file({"norm.weight": torch.zeros(10)}, small_folder / "model.safetensors")
    hub.publish("sail/poolformer_s12", small_folder)
    sentences = []
    for _ in ("fetched", "cached"):
        with pytest.raises(WeightsError, match="do not fit their config") as caught:
            load_checkpoint("s12", cache_dir=tmp_path / "cache", endpoint=hub.endpoint)
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]


# Availability


def test_availability_follows_the_cache_and_asks_nobody(hub, small_folder, tmp_path, monkeypatch):
    hub.publish("sail/poolformer_s12", small_folder)
    assert availability("s12", cache_dir=tmp_path / "cache").state == "remote"
    load_checkpoint("s12", cache_dir=tmp_path / "cache", endpoint=hub.endpoint)
    monkeypatch.setattr(socket, "socket", None)
    states = {name: availability(name, cache_dir=tmp_path / "cache").state for name in variants.VARIANT_NAMES}
    assert states == {"tiny": "bundled", "s12": "cached"} | dict.fromkeys(("s24", "s36", "m36", "m48"), "remote")


def test_a_remote_variant_costs_the_bytes_of_its_parameters(tmp_path):
    # Parameters of transformers' own s12, 4 bytes each.
    assert availability("s12", cache_dir=tmp_path).download_bytes == 4 * 11_915_176


def test_availability_of_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(UnknownVariantError, match="s13"):
        availability("s13", cache_dir=tmp_path)


# When the Hub cannot be had


def fail_to_fetch(name, **options):
    with pytest.raises(HubUnreachableError) as caught:
        load_checkpoint(name, **options)
    return str(caught.value)


def test_a_variant_that_cannot_be_fetched_says_what_still_works(hub, small_folder, tmp_path):
    hub.publish("sail/poolformer_s12", small_folder)
    options = {"cache_dir": tmp_path / "cache", "endpoint": hub.endpoint}
    load_checkpoint("s12", **options)
    hub.misbehave("", refuse(503, retry_after_s=60))
    sentence = fail_to_fetch("s24", **options)
    assert sentence.startswith("s24 cannot be fetched: ")
    assert "meanwhile you can use tiny and s12; to get s24, try again" in sentence


def test_a_damaged_variant_is_not_among_what_still_works(hub, small_folder, tmp_path):
    hub.publish("sail/poolformer_s12", small_folder)
    options = {"cache_dir": tmp_path / "cache", "endpoint": hub.endpoint}
    load_checkpoint("s12", **options)
    weights = next((tmp_path / "cache").rglob("snapshots/*/model.safetensors"))
    weights.write_bytes(weights.read_bytes()[::-1])
    sentence = fail_to_fetch("s12", **options, local_files_only=True)
    assert "its cached model.safetensors was damaged and has been removed" in sentence
    assert "meanwhile you can use tiny; to get s12" in sentence
    assert load_checkpoint("s12", **options).source == "hub"


def test_local_files_only_asks_nobody(hub, tmp_path):
    assert "meanwhile you can use tiny; to get s24, allow the network" in fail_to_fetch(
        "s24", cache_dir=tmp_path, endpoint=hub.endpoint, local_files_only=True
    )
    assert hub.requests == []


def test_a_cancelled_fetch_is_a_sentence(hub, tmp_path):
    cancelled = threading.Event()
    cancelled.set()
    hub.misbehave("", hang)
    with pytest.raises(WeightsError, match="fetch of s24 was cancelled"):
        load_checkpoint("s24", cache_dir=tmp_path, endpoint=hub.endpoint, cancelled=cancelled)


# Folders and names


def test_a_folder_opens_without_a_name_in_the_table(small_folder, small_oracle, picture):
    checkpoint = load_checkpoint(small_folder)
    assert (checkpoint.name, checkpoint.source) == ("small", "folder")
    assert checkpoint.labels == tuple(f"thing {i}" for i in range(5))
    assert_same_logits(checkpoint.model, small_oracle, picture)


def test_a_folder_may_be_a_string_but_a_row_of_the_table_comes_first(small_folder, tmp_path, monkeypatch):
    assert load_checkpoint(str(small_folder)).source == "folder"
    small_folder.rename(tmp_path / "s12")
    monkeypatch.chdir(tmp_path)
    assert load_checkpoint(Path("s12")).source == "folder"
    with pytest.raises(HubUnreachableError):
        load_checkpoint("s12", cache_dir=tmp_path / "cache", local_files_only=True)


def test_safetensors_come_before_a_pickle(small_folder):
    (small_folder / "pytorch_model.bin").write_bytes(b"never read")
    assert load_checkpoint(small_folder).source == "folder"


def test_tiny_is_the_bundled_folder(small_folder, small_oracle, picture, tmp_path, monkeypatch):
    small_folder.rename(tmp_path / "tiny")
    monkeypatch.setattr(variants, "BUNDLED_DIR", tmp_path)
    monkeypatch.setattr(socket, "socket", None)
    checkpoint = load_checkpoint("tiny")
    assert (checkpoint.name, checkpoint.source) == ("tiny", "bundled")
    assert_same_logits(checkpoint.model, small_oracle, picture)


def test_a_network_without_layer_scale_is_complete(tmp_path, picture):
    oracle = build_oracle(**SMALL, labels=5, use_layer_scale=False)
    checkpoint = load_checkpoint(write_checkpoint(tmp_path / "plain", oracle))
    assert not any(tensor.is_meta for tensor in checkpoint.model.buffers())
    assert_same_logits(checkpoint.model, oracle, picture)


def test_half_precision_weights_open_as_float32(small_folder, small_oracle, picture):
    weights = small_folder / "model.safetensors"
    save_file({key: tensor.half() for key, tensor in small_oracle.state_dict().items()}, weights)
    model = load_checkpoint(small_folder).model
    assert all(p.dtype == torch.float32 for p in model.parameters())
    torch.testing.assert_close(model(picture).logits, small_oracle(picture).logits, atol=0.05, rtol=0)


@pytest.mark.parametrize("name", ["s13", "", "../s12", "a\0b", "x" * 5000])
def test_a_name_that_is_neither_row_nor_folder_is_refused(name):
    with pytest.raises(UnknownVariantError, match="choose tiny, s12, s24, s36, m36, m48, or a folder"):
        load_checkpoint(name)


def test_a_folder_without_a_checkpoint_is_a_sentence(tmp_path):
    with pytest.raises(WeightsError, match=r"holds no checkpoint; it needs config\.json"):
        load_checkpoint(tmp_path)


# Files that are not what they should be


class Payload:
    """Unpickles by making a folder, if it is let."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
def test_a_pickle_with_code_is_refused_and_never_run(save, small_folder, tmp_path):
    (small_folder / "model.safetensors").unlink()
    save({"norm.weight": Payload(tmp_path / "executed")}, small_folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin was refused and nothing in it was run"):
        load_checkpoint(small_folder)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"epoch": 3}, {0: torch.zeros(1)}])
def test_a_pickle_without_named_tensors_is_a_sentence(content, small_folder):
    (small_folder / "model.safetensors").unlink()
    torch.save(content, small_folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="something else than named tensors"):
        load_checkpoint(small_folder)


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_a_sentence(share, pickled, tmp_path, small_oracle):
    folder = write_checkpoint(tmp_path / "cut", small_oracle, pickled=pickled)
    weights = folder / ("pytorch_model.bin" if pickled else "model.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(WeightsError, match=weights.name) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_weights_that_do_not_fit_are_refused_by_key(small_folder):
    weights = small_folder / "model.safetensors"
    tensors = load_file(weights)
    del tensors["norm.bias"]
    tensors["norm.surplus"] = torch.zeros(1)
    tensors["classifier.bias"] = torch.zeros(6)
    save_file(tensors, weights)
    with pytest.raises(WeightsError) as caught:
        load_checkpoint(small_folder)
    assert "1 missing (norm.bias)" in str(caught.value)
    assert "1 unexpected (norm.surplus)" in str(caught.value)
    assert "classifier.bias (6,) instead of (5,)" in str(caught.value)


def test_a_mismatch_names_a_few_keys_only(small_folder):
    save_file({"norm.weight": torch.zeros(10)}, small_folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing \([^,]+, [^,]+, [^,]+, \.\.\.\)"):
        load_checkpoint(small_folder)


@pytest.mark.parametrize("text", ["", "<html>", "[]"])
def test_a_config_that_is_no_json_object_is_a_sentence(text, small_folder):
    (small_folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_checkpoint(small_folder)


def test_a_folder_without_preprocessor_config_gets_the_defaults(small_folder):
    shutil.copytree(small_folder, small_folder.parent / "m48")
    (small_folder.parent / "m48" / "preprocessor_config.json").unlink()
    assert load_checkpoint(small_folder.parent / "m48").processor.crop_pct == 0.9
