import contextvars
import json
import os
import pickle
import shutil
import socket
import tempfile
import threading
from pathlib import Path

import pytest
import torch
import transformers
from hub_server import HubServer, answer_page, hang, refuse
from huggingface_hub import close_session, constants
from safetensors.torch import load_file, save_file

from poolformer.errors import HubUnreachableError, UnknownVariantError, WeightsError
from poolformer.weights import hub as hub_module
from poolformer.weights import variants
from poolformer.weights.checkpoint import availability, load_checkpoint
from poolformer.weights.hub import DownloadBar
from poolformer.weights.variants import VARIANTS

# What the published repositories hold besides the weights: an early format, with the size as a number.
PUBLISHED_PREPROCESSING = {
    "do_normalize": True,
    "do_resize_crop": True,
    "feature_extractor_type": "PoolFormerFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "size": 224,
}
ONLY_PICKLED = ("s24", "s36")  # the repositories whose main branch has no model.safetensors
SMALL = {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 6, 8, 10]}


def build_oracle(depths, hidden_sizes, labels=1000, **fields):
    """transformers' classifier, each parameter with random numbers of its own, of a size that keeps logits small."""
    names = {i: f"thing {i}" for i in range(labels)}
    config = transformers.PoolFormerConfig(
        depths=list(depths),
        hidden_sizes=list(hidden_sizes),
        id2label=names,
        label2id={v: k for k, v in names.items()},
        **fields,
    )
    with torch.device("meta"):
        model = transformers.PoolFormerForImageClassification(config)
    model = model.to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1 << 22, generator=generator)
    for name, parameter in model.named_parameters():
        start = int(torch.randint(noise.numel() - parameter.numel(), (1,), generator=generator))
        values = noise[start : start + parameter.numel()].view_as(parameter)
        if parameter.ndim > 1:
            torch.mul(values, parameter[0].numel() ** -0.5, out=parameter)
        elif "norm.weight" in name:
            parameter.copy_(1 + 0.1 * values)
        else:  # biases and layer scales
            parameter.copy_(0.1 * values)
    return model


def write_checkpoint(folder, oracle, crop_pct=0.9, pickled=False):
    """What a published repository holds."""
    oracle.config.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**PUBLISHED_PREPROCESSING, "crop_pct": crop_pct}))
    if pickled:
        torch.save(oracle.state_dict(), folder / "pytorch_model.bin")
    else:
        save_file(oracle.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module", autouse=True)
def _reach_this_machine():
    """Whatever the environment says of proxies and offline mode, the server of these tests can be reached."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setenv("NO_PROXY", "*")
        patch.setenv("no_proxy", "*")
        close_session()  # huggingface_hub reads the proxies when it opens its session.
        yield
    close_session()


@pytest.fixture
def scratch():
    """A folder that is gone after the test, because the larger checkpoints would fill a disk."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def hub():
    with HubServer() as server:
        yield server


@pytest.fixture(scope="session")
def small_oracle():
    return build_oracle(**SMALL, labels=5)


@pytest.fixture
def small_folder(tmp_path, small_oracle):
    return write_checkpoint(tmp_path / "small", small_oracle)


@pytest.fixture
def picture():
    return torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def assert_same_logits(model, oracle, picture):
    with torch.no_grad():
        torch.testing.assert_close(model(picture).logits, oracle(picture).logits, atol=1e-4, rtol=0)


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


def test_files_are_those_of_one_commit_and_the_token_goes_to_the_hub_only(hub, small_folder, tmp_path):
    commit = hub.publish("sail/poolformer_s12", small_folder)
    load_checkpoint("s12", cache_dir=tmp_path / "cache", endpoint=hub.endpoint, token="hf_secret")
    stored = [r for r in hub.requests if r.path.startswith("/storage/")]
    asked = [r for r in hub.requests if r not in stored]
    assert stored
    assert all("authorization" not in r.headers for r in stored)
    assert all(r.headers["authorization"] == "Bearer hf_secret" for r in asked)
    assert all(f"/resolve/{commit}/" in r.path for r in asked if not r.path.endswith("/config.json"))


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


def fail_to_fetch(tmp_path, endpoint, name="s24"):
    """The sentence of a fetch that cannot succeed."""
    with pytest.raises(WeightsError) as caught:
        load_checkpoint(name, cache_dir=tmp_path / "cache", endpoint=endpoint)
    sentence = str(caught.value)
    assert sentence.startswith(f"{name} cannot be fetched: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return type(caught.value), sentence


def closed_port():
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_refused_connection_says_what_still_works(hub, small_folder, tmp_path):
    hub.publish("sail/poolformer_s12", small_folder)
    load_checkpoint("s12", cache_dir=tmp_path / "cache", endpoint=hub.endpoint)
    port = closed_port()
    kind, sentence = fail_to_fetch(tmp_path, f"http://127.0.0.1:{port}")
    assert kind is HubUnreachableError
    assert f"127.0.0.1:{port} refuses the connection" in sentence
    assert "you can use tiny and s12" in sentence
    assert "try again" in sentence


def test_a_name_that_does_not_resolve_is_a_sentence(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    kind, sentence = fail_to_fetch(tmp_path, "http://no-such-host.invalid")
    assert kind is HubUnreachableError
    assert "the name no-such-host.invalid does not resolve" in sentence


def test_a_look_up_that_never_returns_is_given_up(tmp_path, monkeypatch):
    release = threading.Event()

    def wait(*_args, **_options):
        release.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    monkeypatch.setattr(hub_module, "PREFLIGHT_S", 0.1)
    kind, sentence = fail_to_fetch(tmp_path, "http://slow-names.invalid")
    release.set()
    assert kind is HubUnreachableError
    assert "slow-names.invalid does not answer in time" in sentence


def test_a_server_that_never_answers_is_given_up(hub, tmp_path, monkeypatch):
    hub.misbehave("", hang)
    monkeypatch.setattr(hub_module, "PREFLIGHT_S", 0.1)
    kind, sentence = fail_to_fetch(tmp_path, hub.endpoint)
    assert kind is HubUnreachableError
    assert f"127.0.0.1:{hub.port} does not answer in time" in sentence
    assert len(hub.requests) == 1


def test_the_deadline_leaves_room_below_five_seconds():
    assert hub_module.PREFLIGHT_S <= 4


def test_offline_mode_asks_nobody(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    kind, sentence = fail_to_fetch(tmp_path, hub.endpoint)
    assert kind is HubUnreachableError
    assert "unset HF_HUB_OFFLINE" in sentence
    assert hub.requests == []


def test_local_files_only_asks_nobody(hub, tmp_path):
    with pytest.raises(HubUnreachableError, match=r"s24 is not in the cache and local_files_only forbids .* use tiny"):
        load_checkpoint("s24", cache_dir=tmp_path, endpoint=hub.endpoint, local_files_only=True)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (401, "", WeightsError, "does not accept the token"),
        (401, "RepoNotFound", WeightsError, "shows no repository sail/poolformer_s24"),
        (403, "", WeightsError, "refuses access to sail/poolformer_s24"),
        (403, "GatedRepo", WeightsError, "ask for access"),
        (404, "RepoNotFound", WeightsError, "shows no repository sail/poolformer_s24"),
        (404, "EntryNotFound", WeightsError, "lacks a file"),
        (404, "RevisionNotFound", WeightsError, "its main branch"),
        (429, "", HubUnreachableError, "too many requests"),
        (503, "", HubUnreachableError, "status 503"),
    ],
)
def test_a_refusal_is_a_sentence_after_one_request(status, code, kind, words, hub, tmp_path):
    hub.misbehave("", refuse(status, code))
    raised, sentence = fail_to_fetch(tmp_path, hub.endpoint)
    assert raised is kind
    assert words in sentence
    assert str(status) in sentence
    assert len(hub.requests) == 1


def test_a_log_in_page_is_not_taken_for_the_hub(hub, tmp_path):
    hub.misbehave("", answer_page)
    kind, sentence = fail_to_fetch(tmp_path, hub.endpoint)
    assert kind is HubUnreachableError
    assert "is not the Hub" in sentence


def test_an_endpoint_that_is_no_address_is_a_sentence(tmp_path):
    assert fail_to_fetch(tmp_path, "huggingface")[0] is HubUnreachableError


def test_a_repository_without_weights_is_a_sentence(hub, small_folder, tmp_path):
    (small_folder / "model.safetensors").unlink()
    hub.publish("sail/poolformer_s24", small_folder)
    with pytest.raises(WeightsError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_checkpoint("s24", cache_dir=tmp_path / "cache", endpoint=hub.endpoint)


def test_a_cache_that_cannot_be_written_is_a_sentence(hub, small_folder, tmp_path):
    hub.publish("sail/poolformer_s24", small_folder)
    (tmp_path / "cache").write_text("a file where the folder should be")
    kind, sentence = fail_to_fetch(tmp_path, hub.endpoint)
    assert kind is WeightsError
    assert "cache folder" in sentence


def test_a_failure_inside_the_large_file_storage_is_a_sentence(hub, small_folder, tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise RuntimeError("Task error: File reconstruction error")  # as hf_xet words it

    hub.publish("sail/poolformer_s24", small_folder)
    monkeypatch.setattr(hub_module, "hf_hub_download", fail)
    kind, sentence = fail_to_fetch(tmp_path, hub.endpoint)
    assert kind is WeightsError
    assert "File reconstruction error" in sentence


# Progress


def test_a_bar_updates_in_the_context_that_started_the_download():
    visitor = contextvars.ContextVar("visitor", default="nobody")
    seen = []

    class Watched(DownloadBar):
        def display(self, *_args, **_options):
            seen.append(visitor.get())

    visitor.set("a visitor")
    with open(os.devnull, "w") as nowhere, Watched(total=2, mininterval=0, file=nowhere) as bar:
        seen.clear()
        thread = threading.Thread(target=bar.update)  # As hf_xet does, from a thread that knows no visitor.
        thread.start()
        thread.join()
        assert bar.n == 1
        assert seen == ["a visitor"]


def test_each_file_has_one_bar_that_ends_at_its_size(hub, small_folder, tmp_path, monkeypatch):
    bars = []

    class Recorded(DownloadBar):
        def __init__(self, *args, **options):
            super().__init__(*args, **{**options, "disable": False})
            bars.append(self)

        def display(self, *_args, **_options):
            pass

    monkeypatch.setattr(hub_module, "DownloadBar", Recorded)
    hub.publish("sail/poolformer_s12", small_folder)
    load_checkpoint("s12", cache_dir=tmp_path / "cache", endpoint=hub.endpoint)
    sizes = {path.name: path.stat().st_size for path in small_folder.iterdir()}
    assert {bar.desc.removesuffix(": "): bar.n for bar in bars} == sizes
    assert all(bar.total == bar.n for bar in bars)


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
