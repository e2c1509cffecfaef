"""A local HTTP server that speaks the Hub's protocol, for the requests that huggingface_hub makes.

    with HubServer() as hub:
        hub.publish("sail/poolformer_s12", folder)
        load_checkpoint("s12", cache_dir=..., endpoint=hub.endpoint)
        assert hub.requests

What the real Hub does and this one too: `resolve` answers HEAD and GET with the commit, an ETag (git's blob id for
small files, sha256 for large ones) and a size; large files redirect to another host; what is missing is named in
X-Error-Code. Uploads are in hub_uploads.py.
A `Fault` of hub_faults.py takes the place of the proper answer for chosen paths:
`hub.misbehave("/config.json", refuse(403))`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import pytest
from hub_uploads import UploadedRepository, answer_upload
from huggingface_hub import close_session, constants

LARGE_SUFFIXES = (".safetensors", ".bin")  # kept in large-file storage, as on the Hub
RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


@dataclass(frozen=True)
class Request:
    """One request as it arrived; `headers` has lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class StoredFile:
    """A file of a published repository."""

    path: Path

    @property
    def is_large(self) -> bool:
        return self.path.suffix in LARGE_SUFFIXES

    @cached_property
    def etag(self) -> str:
        content = self.path.read_bytes()
        if self.is_large:
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class _PlannedFault:
    path_part: str
    fault: Fault
    times_left: int | None


class HubServer:
    """The server; runs while its `with` block does.

    `requests` is everything that arrived, in order; `uploads` what was uploaded, by repository.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.uploads: dict[str, UploadedRepository] = {}
        self.closing = threading.Event()  # set before the threads are joined: a fault that hangs waits for this
        self.repositories: dict[str, dict[str, dict[str, StoredFile]]] = {}  # files by name, commit and repository
        self.branches: dict[tuple[str, str], str] = {}
        self._faults: list[_PlannedFault] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._build_handler())
        self._server.daemon_threads = False  # so that closing joins them and none outlives its test
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT would be set to."""
        return f"http://127.0.0.1:{self.port}"

    def publish(self, repo_id: str, folder: Path, branch: str = "main") -> str:
        """Serves the files of `folder` as they are now as a branch of `repo_id`; returns the commit, 40 hex digits."""
        files = {path.name: StoredFile(path) for path in folder.iterdir()}
        content = "".join(name + files[name].etag for name in sorted(files))
        commit = hashlib.sha1(f"{repo_id} {branch} {content}".encode()).hexdigest()
        self.repositories.setdefault(repo_id, {})[commit] = files
        self.branches[repo_id, branch] = commit
        return commit

    def misbehave(self, path_part: str, fault: Fault, times: int | None = None) -> None:
        """From now on, or for the next few times, `fault` answers requests whose path has `path_part` in it."""
        self._faults.append(_PlannedFault(path_part, fault, times))

    def behave(self) -> None:
        """No more faults."""
        self._faults.clear()

    def fault_for(self, path: str) -> Fault | None:
        planned = next((plan for plan in self._faults if plan.path_part in path and plan.times_left != 0), None)
        if planned is None:
            return None
        if planned.times_left is not None:
            planned.times_left -= 1
        return planned.fault

    def count(self, method: str, path_part: str) -> int:
        """How many requests of this method had `path_part` in their path."""
        return sum(request.method == method and path_part in request.path for request in self.requests)

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _build_handler(self) -> type[HubHandler]:
        return type("BoundHubHandler", (HubHandler,), {"hub": self})


class HubHandler(BaseHTTPRequestHandler):
    """Answers one request; faults get this object and write to it what they like."""

    hub: HubServer
    protocol_version = "HTTP/1.1"
    spoil: Callable[[bytes], bytes] | None = None  # what becomes of a file's content on its way
    cut_bytes: int | None = None  # after so many bytes no more come
    held: tuple[int, threading.Event] | None = None  # after so many bytes the rest comes when the event is set

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, self.path, headers))
        fault = self.hub.fault_for(self.path)
        try:
            fault(self) if fault else self.answer()
        except ConnectionError:
            self.close_connection = True  # The client has left, as clients of a server under test do.

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815  # the base class names them so

    def answer(self) -> None:
        """The proper answer."""
        if self.command in ("POST", "PUT"):
            answer_upload(self)
        elif self.path.startswith("/storage/"):
            self._answer_storage(self.path.removeprefix("/storage/"))
        elif match := RESOLVE.fullmatch(self.path):
            self._answer_resolve(**match.groupdict())
        else:
            self.send(404)

    def _answer_resolve(self, repo: str, revision: str, file: str) -> None:
        commits = self.hub.repositories.get(repo)
        if commits is None:
            return self.send(404, {"X-Error-Code": "RepoNotFound"})
        commit = self.hub.branches.get((repo, revision), revision)
        if commit not in commits:
            return self.send(404, {"X-Error-Code": "RevisionNotFound"})
        files = commits[commit]
        if file not in files:
            return self.send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        stored = files[file]
        if not stored.is_large:
            return self.send_file(stored, {"X-Repo-Commit": commit})
        # The storage is another host: huggingface_hub takes the metadata from here and sends it no token.
        headers = {
            "Location": f"http://localhost:{self.hub.port}/storage/{stored.etag}",
            "X-Repo-Commit": commit,
            "X-Linked-Etag": f'"{stored.etag}"',
            "X-Linked-Size": str(stored.path.stat().st_size),
        }
        return self.send(302, headers)

    def _answer_storage(self, etag: str) -> None:
        commits = (commit for commits in self.hub.repositories.values() for commit in commits.values())
        stored = (stored for files in commits for stored in files.values() if stored.is_large)
        found = next((stored for stored in stored if stored.etag == etag), None)
        return self.send_file(found, {}) if found else self.send(404)

    def send(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """A whole answer; the connection is closed after it, so that no socket outlives the test."""
        self._send_head(status, len(body), headers or {})
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_file(self, stored: StoredFile, headers: Mapping[str, str]) -> None:
        """A file with its ETag, from the first byte that a Range header asks for."""
        size = stored.path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        part = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if asked else {}
        name = {"Content-Disposition": f'inline; filename="{stored.path.name}";', "ETag": f'"{stored.etag}"'}
        body = None if self.spoil is None or self.command == "HEAD" else self.spoil(stored.path.read_bytes())
        length = size - start if body is None else len(body)
        self._send_head(206 if asked else 200, length, {**headers, **name, **part})
        if self.command == "HEAD":
            return
        if body is not None:
            self.wfile.write(body)
            return
        with stored.path.open("rb") as content:
            content.seek(start)
            if self.cut_bytes is not None:
                self.wfile.write(content.read(self.cut_bytes))
            else:
                if self.held is not None:
                    self.wfile.write(content.read(self.held[0]))
                    self.held[1].wait()
                shutil.copyfileobj(content, self.wfile, 1 << 20)

    def _send_head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Nothing: tests look at `requests`."""


Fault = Callable[[HubHandler], None]


@contextmanager
def local_network() -> Iterator[None]:
    """Whatever the environment says of proxies and offline mode, a server of this machine can be reached."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setenv("NO_PROXY", "*")
        patch.setenv("no_proxy", "*")
        close_session()  # huggingface_hub reads the proxies when it opens its session.
        yield
    close_session()


def join_fetches() -> None:
    """Waits for the threads of fetches that were given up, so that none outlives its test; the server is closed."""
    for thread in threading.enumerate():
        if thread.name == "hub":
            thread.join()
