"""Repositories by name: what is asked of the Hub and of the cache, and the sentence when neither has it."""

import contextvars
import os
import re
import shutil
import socket
import threading
from pathlib import Path

import pytest
from hub_faults import answer_page, hang, redirect_to_page, refuse
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

from poolformer.errors import HubUnreachableError, WeightsError
from poolformer.weights import fetch, hub, transfer
from poolformer.weights.hub import cached_folder, fetch_snapshot

REPO = "someone/poolformer"
FILES = {"config.json": b"{}", "preprocessor_config.json": b"[]", "model.safetensors": os.urandom(100_000)}


pytestmark = pytest.mark.usefixtures("quick_network")


@pytest.fixture
def server(hub):
    return hub


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def get(server, tmp_path):
    """`fetch_snapshot` from the local Hub into a cache of this test."""

    def get(repo_id=REPO, **options):
        return fetch_snapshot(repo_id, **{"cache_dir": tmp_path / "cache", "endpoint": server.endpoint} | options)

    return get


def changed(folder, config):
    """A copy of the folder with another config."""
    copy = shutil.copytree(folder, folder.with_name("changed"))
    (copy / "config.json").write_bytes(config)
    return copy


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# From the Hub, then from the cache


def test_a_repository_is_fetched_once_and_then_opens_without_a_request(server, folder, get):
    commit = server.publish(REPO, folder)
    assert contents(get()) == FILES
    server.requests.clear()
    assert get().name == commit
    assert server.requests == []


def test_each_file_takes_one_question_and_one_transfer(server, folder, get):
    server.publish(REPO, folder)
    get()
    assert [r.path.rpartition("/")[2] for r in server.requests if r.method == "HEAD"] == list(FILES)
    assert server.count("GET", "/storage/") == 1


def test_files_are_those_of_one_commit_and_the_token_goes_to_the_hub_only(server, folder, get):
    commit = server.publish(REPO, folder)
    get(token="hf_secret")
    stored = [r for r in server.requests if r.path.startswith("/storage/")]
    asked = [r for r in server.requests if r not in stored]
    assert stored
    assert all("authorization" not in r.headers for r in stored)
    assert all(r.headers["authorization"] == "Bearer hf_secret" for r in asked)
    assert all(f"/resolve/{commit}/" in r.path for r in asked[1:])


def test_only_the_asked_for_parts_are_fetched(server, folder, get):
    server.publish(REPO, folder)
    assert list(contents(get(parts=("config",)))) == ["config.json"]
    assert sorted(contents(get(parts=("preprocessor",)))) == ["config.json", "preprocessor_config.json"]
    assert contents(get()) == FILES
    assert server.count("GET", "config.json") == 2
    assert cached_folder(REPO, cache_dir=get().parents[2]) is not None


@pytest.mark.parametrize("parts", [("preprocessor",), ("config", "preprocessor", "weights")])
def test_a_preprocessor_config_may_be_missing_and_is_asked_for_once(parts, server, folder, get):
    (folder / "preprocessor_config.json").unlink()
    server.publish(REPO, folder)
    assert "preprocessor_config.json" not in contents(get(parts=parts))
    server.requests.clear()
    get(parts=parts)
    assert server.requests == []


def test_a_repository_with_nothing_but_a_preprocessor_config_will_do_for_it(server, folder, get):
    (folder / "config.json").unlink()
    (folder / "model.safetensors").unlink()
    server.publish(REPO, folder)
    assert list(contents(get(parts=("preprocessor",)))) == ["preprocessor_config.json"]


def test_a_pickle_is_fetched_where_there_are_no_safetensors(server, folder, get):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    server.publish(REPO, folder)
    assert contents(get())["pytorch_model.bin"] == FILES["model.safetensors"]


# Revisions


def test_branches_and_commits_are_kept_apart_and_open_from_the_cache(server, folder, get):
    main = server.publish(REPO, folder)
    tagged = server.publish(REPO, changed(folder, b'{"branch": "v2"}'), branch="v2")
    assert get(revision="v2").name == tagged
    assert contents(get(revision="v2"))["config.json"] == b'{"branch": "v2"}'
    assert get().name == main
    assert server.count("GET", "/storage/") == 1, "both commits have the same weights"
    server.requests.clear()
    for revision in ("v2", tagged, "main", main, None):
        assert get(revision=revision).name in (tagged, main)
    assert server.requests == []


def test_a_branch_with_a_slash_is_a_name_too(server, folder, get):
    commit = server.publish(REPO, folder, branch="refs%2Fpr%2F1")
    assert get(revision="refs/pr/1").name == commit
    server.requests.clear()
    assert get(revision="refs/pr/1").name == commit
    assert server.requests == []


def test_what_is_missing_comes_from_the_commit_that_the_rest_is_of(server, folder, get):
    first = server.publish(REPO, folder)
    get(parts=("config",))
    server.publish(REPO, changed(folder, b'{"new": 1}'))
    assert get().name == first


def test_a_commit_that_is_gone_from_the_hub_is_replaced_by_the_branch(server, folder, get):
    first = server.publish(REPO, folder)
    get(parts=("config",))
    second = server.publish(REPO, changed(folder, b'{"new": 1}'))
    del server.repositories[REPO][first]
    assert get().name == second
    assert get(local_files_only=True).name == second


@pytest.mark.parametrize("revision", ["../../etc", "/etc/passwd", "..", "a/../../b"])
def test_a_revision_that_would_leave_the_cache_is_refused(revision, server, get):
    with pytest.raises(WeightsError, match="is not the name of a branch"):
        get(revision=revision)
    assert server.requests == []


@pytest.mark.parametrize("repo_id", ["", "a/b/c", "../x", "-x", "a b"])
def test_a_name_that_no_repository_has_is_refused(repo_id, server, get):
    with pytest.raises(WeightsError, match="write it as owner/name"):
        get(repo_id)
    assert server.requests == []


# One cache with every other program


def test_huggingface_hub_finds_what_was_fetched_and_fetches_nothing_again(server, folder, get, tmp_path):
    server.publish(REPO, folder)
    snapshot, before = get(), len(server.requests)
    cache = {"cache_dir": tmp_path / "cache"}
    for name in FILES:
        assert try_to_load_from_cache(REPO, name, **cache) == str(snapshot / name)
        assert hf_hub_download(REPO, name, endpoint=server.endpoint, **cache) == str(snapshot / name)
    assert {r.method for r in server.requests[before:]} == {"HEAD"}


def test_what_huggingface_hub_fetched_opens_without_a_request(server, folder, get, tmp_path):
    server.publish(REPO, folder)
    for name in FILES:
        hf_hub_download(REPO, name, cache_dir=tmp_path / "cache", endpoint=server.endpoint)
    server.requests.clear()
    assert contents(get()) == FILES
    assert server.requests == []


def test_a_file_system_without_symbolic_links_will_do(server, folder, get, monkeypatch):
    def refuse_links(*_args, **_options):
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse_links)
    server.publish(REPO, folder)
    assert not any(path.is_symlink() for path in get().iterdir())
    server.requests.clear()
    assert contents(get()) == FILES
    assert server.requests == []


# When the Hub cannot be had


def fail(call):
    """The kind and the sentence of a fetch that cannot succeed."""
    with pytest.raises(WeightsError) as caught:
        call()
    sentence = str(caught.value)
    assert sentence.startswith(f"{REPO} cannot be fetched: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return type(caught.value), sentence


def closed_port():
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_refused_connection_is_a_sentence(get):
    address = f"127.0.0.1:{closed_port()}"
    kind, sentence = fail(lambda: get(endpoint=f"http://{address}"))
    assert kind is HubUnreachableError
    assert f"{address} refuses the connection" in sentence
    assert "try again" in sentence


def test_a_name_that_does_not_resolve_is_a_sentence(get, monkeypatch):
    def refuse_names(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse_names)
    kind, sentence = fail(lambda: get(endpoint="http://no-such-host.invalid"))
    assert kind is HubUnreachableError
    assert "the name no-such-host.invalid does not resolve" in sentence


def test_a_look_up_that_never_returns_is_given_up(get, monkeypatch):
    release = threading.Event()

    def wait(*_args, **_options):
        release.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    monkeypatch.setattr(fetch, "PREFLIGHT_S", 0.1)
    kind, sentence = fail(lambda: get(endpoint="http://slow-names.invalid"))
    release.set()
    assert kind is HubUnreachableError
    assert "slow-names.invalid does not answer in time" in sentence


def test_a_server_that_never_answers_is_given_up(server, get, monkeypatch):
    server.misbehave("", hang)
    monkeypatch.setattr(fetch, "PREFLIGHT_S", 0.1)
    kind, sentence = fail(get)
    assert kind is HubUnreachableError
    assert f"127.0.0.1:{server.port} does not answer in time" in sentence
    assert len(server.requests) <= 1, "none where opening a connection took all the time"


def test_the_deadlines_keep_what_is_promised():
    pauses_s = sum(transfer.PAUSES_S)
    assert fetch.PREFLIGHT_S + pauses_s < 6
    assert transfer.TRIES * fetch.READ_TIMEOUT_S + pauses_s < fetch.STALL_S < 60


def test_offline_mode_asks_nobody(server, get, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    kind, sentence = fail(get)
    assert kind is HubUnreachableError
    assert "unset HF_HUB_OFFLINE" in sentence
    assert server.requests == []


def test_local_files_only_asks_nobody(server, get):
    kind, sentence = fail(lambda: get(local_files_only=True))
    assert kind is HubUnreachableError
    assert "not in the cache and local_files_only forbids" in sentence
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (401, "", WeightsError, "does not accept the token"),
        (401, "RepoNotFound", WeightsError, f"shows no repository {REPO}"),
        (403, "", WeightsError, f"refuses access to {REPO}"),
        (403, "GatedRepo", WeightsError, "ask for access"),
        (404, "RepoNotFound", WeightsError, f"shows no repository {REPO}"),
        (404, "RevisionNotFound", WeightsError, "has no branch, tag or commit main"),
        (404, "", WeightsError, "lacks a file"),
    ],
)
def test_a_refusal_is_a_sentence_after_one_request(status, code, kind, words, server, get):
    server.misbehave("", refuse(status, code))
    raised, sentence = fail(get)
    assert raised is kind
    assert words in sentence
    assert str(status) in sentence
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "words"), [(401, "does not accept the token"), (403, "refuses access"), (404, "lacks")]
)
def test_a_storage_that_refuses_is_a_sentence_after_one_request(status, words, server, folder, get):
    server.publish(REPO, folder)
    server.misbehave("/storage/", refuse(status))
    kind, sentence = fail(get)
    assert kind is WeightsError
    assert words in sentence
    assert server.count("GET", "/storage/") == 1


def test_repository_revision_and_file_are_told_apart(server, folder, get):
    (folder / "config.json").unlink()
    server.publish(REPO, folder)
    assert "has no config.json (404); " in fail(get)[1]
    assert "has no branch, tag or commit v9 (404); " in fail(lambda: get(revision="v9"))[1]
    with pytest.raises(WeightsError, match=r"shows no repository someone/else \(404\); "):
        get("someone/else")


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_file_that_the_repository_lacks_is_named(missing, server, folder, get):
    (folder / missing).unlink()
    server.publish(REPO, folder)
    assert re.search(rf"has no {re.escape(missing)}.*\(404\)", fail(get)[1])


@pytest.mark.parametrize("portal", [answer_page, redirect_to_page])
def test_a_log_in_page_is_not_taken_for_the_hub(portal, server, get):
    server.misbehave("", portal)
    kind, sentence = fail(get)
    assert kind is HubUnreachableError
    assert "is not the Hub" in sentence


@pytest.mark.parametrize("header", ["X-Repo-Commit", "ETag"])
def test_a_server_cannot_choose_a_file_outside_of_the_cache(header, server, get, tmp_path):
    headers = {"X-Repo-Commit": "0" * 40, "ETag": "0" * 40} | {header: "../../../escaped"}
    server.misbehave("", lambda handler: handler.send(200, headers, b"{}"))
    assert "is not the Hub" in fail(get)[1]
    assert not list(tmp_path.rglob("*escaped*"))


def test_an_endpoint_that_is_no_address_is_a_sentence(get):
    assert fail(lambda: get(endpoint="huggingface"))[0] is HubUnreachableError


def test_a_cache_that_cannot_be_written_is_a_sentence(server, folder, get, tmp_path):
    server.publish(REPO, folder)
    (tmp_path / "cache").write_text("a file where the folder should be")
    kind, sentence = fail(get)
    assert kind is WeightsError
    assert "cache folder" in sentence


# Progress


def test_each_file_has_one_bar_that_ends_at_its_size(server, folder, get, monkeypatch):
    bars, visitor = [], contextvars.ContextVar("visitor", default="nobody")
    visitor.set("a visitor")

    class Recorded(hub.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **{**options, "disable": False})
            bars.append(self)

        def display(self, *_args, **_options):
            assert visitor.get() == "a visitor", "gradio finds the visitor to show a bar to in context variables"

    monkeypatch.setattr(hub, "tqdm", Recorded)
    server.publish(REPO, folder)
    get()
    assert {bar.desc.removesuffix(": "): bar.n for bar in bars} == {name: len(data) for name, data in FILES.items()}
    assert all(bar.total == bar.n for bar in bars)
