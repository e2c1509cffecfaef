"""A Hub, a network and a cache that misbehave: nothing damaged is used, and nothing waits for ever."""

import fcntl
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from disks import full, read_only
from hub_faults import answer_page, cut, hang, redirect_to_page, refuse, spoil, stall
from hub_server import join_fetches
from huggingface_hub.utils import WeakFileLock

from poolformer.errors import HubUnreachableError, WeightsError
from poolformer.weights import cache as cache_module
from poolformer.weights import fetch, hub, integrity, transfer
from poolformer.weights.hub import fetch_snapshot

REPO = "someone/poolformer"
FILES = {"config.json": b"{}", "preprocessor_config.json": b"[]", "model.safetensors": os.urandom(100_000)}
WEIGHTS = FILES["model.safetensors"]
ROOT = Path(__file__).parents[1]


pytestmark = pytest.mark.usefixtures("quick_network")


@pytest.fixture
def impatient(monkeypatch):
    """For tests in which a byte never comes; calling it makes fetches patient again, as a busy machine needs."""
    patient_s = fetch.READ_TIMEOUT_S
    monkeypatch.setattr(fetch, "READ_TIMEOUT_S", 0.2)
    return lambda: monkeypatch.setattr(fetch, "READ_TIMEOUT_S", patient_s)


@pytest.fixture
def server(hub, tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    hub.publish(REPO, folder)
    return hub


@pytest.fixture
def get(server, tmp_path):
    def get(**options):
        return fetch_snapshot(REPO, **{"cache_dir": tmp_path / "cache", "endpoint": server.endpoint} | options)

    return get


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fail(call, kind=WeightsError):
    with pytest.raises(WeightsError) as caught:
        call()
    assert type(caught.value) is kind
    return str(caught.value)


def leftovers(tmp_path):
    """Partial files, and whatever blob is not what it is named for."""
    blobs = [path for path in (tmp_path / "cache").rglob("blobs/*") if path.is_file()]
    return [path for path in blobs if path.suffix == ".incomplete" or not integrity.matches(path, path.name)]


def flip(content):
    return bytes([content[0] ^ 1]) + content[1:]


# What arrives is not what was announced

DAMAGES = {
    "same size": spoil(flip),
    "short": spoil(lambda content: content[:-10]),
    "long": spoil(lambda content: content + b"more"),
    "a log-in page": answer_page,
    "nothing": spoil(lambda _: b""),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_weights_are_fetched_once_more(damage, server, get, tmp_path):
    server.misbehave("/storage/", damage, times=1)
    assert contents(get()) == FILES
    assert server.count("GET", "/storage/") == 2
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_weights_that_arrive_damaged_twice_are_refused(damage, server, get, tmp_path):
    server.misbehave("/storage/", damage)
    assert "model.safetensors arrived damaged each time" in fail(get)
    assert server.count("GET", "/storage/") == 2
    assert leftovers(tmp_path) == []
    assert "not in the cache" in fail(lambda: get(local_files_only=True), HubUnreachableError)
    server.behave()
    assert contents(get()) == FILES


def test_weights_that_lead_to_a_log_in_page_are_refused(server, get, tmp_path):
    server.misbehave("/storage/", redirect_to_page)
    assert "model.safetensors arrived damaged each time" in fail(get)
    assert leftovers(tmp_path) == []


def test_small_files_are_checked_by_gits_hash(server, get):
    server.misbehave("/config.json", spoil(lambda _: b"[]"))
    assert "config.json arrived damaged" in fail(get)


# What is in the cache is not what it was


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_in_the_cache_is_removed_and_fetched_again(name, server, get):
    (get() / name).write_bytes(flip(FILES[name]))
    server.requests.clear()
    assert contents(get()) == FILES
    assert {request.path.rpartition("/")[2] for request in server.requests if request.method == "HEAD"} == {name}
    server.requests.clear()
    assert contents(get()) == FILES
    assert server.requests == []


def test_a_damaged_file_is_refused_and_said_so_when_it_cannot_be_fetched(server, get):
    (get() / "model.safetensors").write_bytes(flip(WEIGHTS))
    server.misbehave("", refuse(503))
    sentence = fail(get, HubUnreachableError)
    assert "its cached model.safetensors was damaged and has been removed, and " in sentence
    assert "503" in sentence


def test_a_damaged_file_is_refused_where_the_network_is_forbidden(get):
    (get() / "model.safetensors").write_bytes(flip(WEIGHTS))
    assert "damaged and has been removed" in fail(lambda: get(local_files_only=True), HubUnreachableError)


def test_an_intact_file_is_hashed_once_as_long_as_it_does_not_change(get, monkeypatch):
    hashed = []
    monkeypatch.setattr(integrity, "matches", lambda path, etag: hashed.append(path.name) or len(etag) > 0)
    for _ in range(3):
        folder = get()
    assert sorted(hashed) == sorted(FILES)
    os.utime(folder / "model.safetensors", ns=(1, 1))
    get()
    assert hashed[3:] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("etag", "content", "expected"),
    [
        # printf 'hello' | sha256sum; printf 'hello' | git hash-object --stdin
        ("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", b"hello", True),
        ("b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", b"hello", True),
        ("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", b"hullo", False),
        ("b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", b"hullo", False),
        ("an-etag-of-another-server", b"hullo", True),
    ],
)
def test_content_is_compared_to_the_hash_that_names_it(etag, content, expected, tmp_path):
    (tmp_path / "file").write_bytes(content)
    assert integrity.matches(tmp_path / "file", etag) is expected


# Connections that break, hang and stall


def test_a_broken_transfer_goes_on_where_it_stopped(server, get):
    server.misbehave("/storage/", cut(40_000), times=2)
    assert contents(get()) == FILES
    asked = [r.headers.get("range") for r in server.requests if r.path.startswith("/storage/")]
    assert asked == [None, "bytes=40000-", "bytes=80000-"]


def test_a_transfer_starts_over_where_the_server_cannot_resume(server, get):
    server.misbehave("/storage/", cut(40_000), times=1)
    server.misbehave("/storage/", spoil(lambda content: content), times=1)  # answers 206, as if it were the rest
    assert contents(get()) == FILES


@pytest.mark.usefixtures("impatient")
def test_a_stalled_body_is_resumed(server, get):
    server.misbehave("/storage/", stall(40_000), times=1)
    assert contents(get()) == FILES


@pytest.mark.parametrize(
    ("path", "first"),
    [("/storage/", hang), ("/storage/", stall(0)), ("/storage/", stall(40_000)), ("/config.json", stall(0))],
)
def test_a_body_that_never_comes_is_given_up_and_a_retry_works(path, first, server, get, tmp_path, impatient):
    server.misbehave(path, first, times=None if path == "/config.json" else 1)
    server.misbehave(path, hang)
    assert "does not answer in time" in fail(get, HubUnreachableError)
    assert server.count("GET", path) <= transfer.TRIES
    assert leftovers(tmp_path) == []
    server.behave()
    impatient()
    assert contents(get()) == FILES


def test_no_progress_is_given_up_whatever_the_timeouts_of_requests(server, get, monkeypatch):
    monkeypatch.setattr(fetch, "READ_TIMEOUT_S", 2)
    monkeypatch.setattr(fetch, "STALL_S", 0.1)
    server.misbehave("/storage/", stall(40_000))
    assert "no progress for 0.1 s" in fail(get, HubUnreachableError)


def test_a_fetch_can_be_cancelled_and_started_again(server, get, tmp_path, impatient):
    cancelled, arrived = threading.Event(), threading.Event()

    def stall_and_tell(handler):
        arrived.set()
        stall(40_000)(handler)

    server.misbehave("/storage/", stall_and_tell, times=1)
    with ThreadPoolExecutor() as pool:
        fetching = pool.submit(get, cancelled=cancelled)
        arrived.wait()
        cancelled.set()
        assert "was cancelled" in str(fetching.exception())
    impatient()
    assert contents(get()) == FILES
    assert leftovers(tmp_path) == []


# Busy servers


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("path", ["/config.json", "/storage/"])
def test_a_busy_server_is_asked_again(path, status, server, get):
    server.misbehave(path, refuse(status), times=2)
    assert contents(get()) == FILES


@pytest.mark.parametrize(("status", "words"), [(429, "too many requests from here (429)"), (503, "status 503")])
@pytest.mark.parametrize("path", ["/config.json", "/storage/"])
def test_a_busy_server_is_asked_a_few_times_and_it_is_said_so(path, status, words, server, get):
    server.misbehave(path, refuse(status))
    sentence = fail(get, HubUnreachableError)
    assert words in sentence
    assert f"{transfer.TRIES} times in a row" in sentence
    assert sum(path in request.path for request in server.requests) == transfer.TRIES


def test_a_server_that_asks_for_a_pause_is_not_asked_again(server, get):
    server.misbehave("", refuse(429, retry_after_s=300))
    assert "asks for a pause of 300 s" in fail(get, HubUnreachableError)
    assert len(server.requests) == 1


# Two processes, and what a dead one leaves

FETCH = """
import sys
from huggingface_hub import constants
from poolformer.weights.hub import fetch_snapshot
constants.HF_HUB_OFFLINE = False
print("ready", flush=True)
sys.stdin.readline()
print(fetch_snapshot(sys.argv[1], cache_dir=sys.argv[2], endpoint=sys.argv[3]))
"""


def test_two_processes_that_start_cold_fetch_once_and_both_succeed(server, tmp_path):
    both_wait = threading.Barrier(2, timeout=120)

    def answer_when_both_ask(handler):
        both_wait.wait()
        handler.answer()

    # The first question of each waits for that of the other, so that neither finds what the other has fetched.
    server.misbehave("/config.json", answer_when_both_ask, times=2)
    environment = os.environ | {"NO_PROXY": "*", "no_proxy": "*", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FETCH, REPO, str(tmp_path / "cache"), server.endpoint]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    processes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    folders = {Path(process.communicate()[0].strip()) for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert [contents(folder) for folder in folders] == [FILES]
    assert server.count("GET", "/storage/") == 1


def lock_path(server, tmp_path):
    etag = next(iter(server.repositories[REPO].values()))["model.safetensors"].etag
    path = tmp_path / "cache" / ".locks" / "models--someone--poolformer" / f"{etag}.lock"
    path.parent.mkdir(parents=True)
    return path


def test_the_lock_file_of_a_dead_process_does_not_block(server, get, tmp_path):
    lock_path(server, tmp_path).touch()
    assert contents(get()) == FILES


def test_a_lock_whose_holder_makes_no_progress_is_passed_by(server, get, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "LOCK_POLL_S", 0.02)
    monkeypatch.setattr(cache_module, "LOCK_STALL_S", 0.1)
    with lock_path(server, tmp_path).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert contents(get()) == FILES


def test_a_holder_that_makes_progress_is_waited_for(tmp_path, monkeypatch):
    cache = cache_module.RepositoryCache(tmp_path, REPO)
    partial = cache.blob("abc.partial.incomplete")
    partial.parent.mkdir(parents=True)
    now_s, tries, turns = [0.0], [], 50
    monkeypatch.setattr(cache_module.time, "monotonic", lambda: now_s[0])

    def wait_in_vain(_path, _timeout_s):
        now_s[0] += cache_module.LOCK_STALL_S / 2
        tries.append(now_s[0])
        if len(tries) <= turns:
            partial.write_bytes(bytes(len(tries)))
        raise TimeoutError

    with cache.locked("abc", wait_in_vain, lambda: None):
        assert turns + 2 <= len(tries) <= turns + 3


def test_a_fetch_that_waits_for_another_can_be_cancelled(server, get, tmp_path, monkeypatch):
    cancelled, waiting = threading.Event(), threading.Event()

    def take_lock(*args, **options):
        waiting.set()
        return WeakFileLock(*args, **options)

    monkeypatch.setattr(hub, "WeakFileLock", take_lock)
    monkeypatch.setattr(cache_module, "LOCK_POLL_S", 0.02)
    with lock_path(server, tmp_path).open("w") as held, ThreadPoolExecutor() as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        fetching = pool.submit(get, cancelled=cancelled)
        waiting.wait()
        cancelled.set()
        assert "was cancelled" in str(fetching.exception())
        join_fetches()
    assert contents(get()) == FILES


# Disks that cannot be written


def test_a_cached_repository_opens_from_a_disk_that_cannot_be_written(server, get, tmp_path):
    get()
    server.requests.clear()
    with read_only(tmp_path):
        assert contents(get()) == FILES
    assert server.requests == []


def test_a_repository_that_is_not_cached_needs_a_disk_that_can_be_written(get, tmp_path):
    with read_only(tmp_path):
        sentence = fail(get)
    assert "Read-only file system" in sentence
    assert "check that the cache folder can be written" in sentence
    assert contents(get()) == FILES


def test_a_damaged_file_is_not_used_even_where_it_cannot_be_removed(get, tmp_path):
    (get() / "model.safetensors").write_bytes(flip(WEIGHTS))
    with read_only(tmp_path):
        assert "Read-only file system" in fail(get)
    assert contents(get()) == FILES


@pytest.mark.parametrize("free_bytes", [0, 1, 40_000, len(WEIGHTS) - 1])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(free_bytes, get, tmp_path):
    with full(free_bytes):
        sentence = fail(get)
    assert "No space left on device" in sentence
    assert "disk has space" in sentence
    assert leftovers(tmp_path) == []
    assert contents(get()) == FILES


def test_a_disk_that_is_full_when_a_file_is_put_in_place_is_a_sentence(get, monkeypatch, tmp_path):
    def fill(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fill)
    assert "disk has space" in fail(get)
    assert leftovers(tmp_path) == []


def test_a_cached_repository_opens_from_a_full_disk(get):
    get()
    with full(0):
        assert contents(get()) == FILES
