"""A local HTTP server that speaks the Hub's protocol, for the requests that huggingface_hub makes to download files.

    with HubServer() as hub:
        hub.publish("sail/poolformer_s12", folder)
        load_checkpoint("s12", cache_dir=..., endpoint=hub.endpoint)
        assert hub.requests

What the real Hub does and this one too: `resolve` answers HEAD and GET with the commit, an ETag (git's blob id for
small files, sha256 for large ones) and a size; large files redirect to another host; what is missing is named in
X-Error-Code.
A `Fault` takes the place of the proper answer for chosen paths: `hub.misbehave("config.json", refuse(403))`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

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


class HubServer:
    """The server; runs while its `with` block does. `requests` is everything that arrived, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()  # set before the threads are joined: a fault that hangs waits for this
        self.repositories: dict[str, dict[str, StoredFile]] = {}
        self._faults: list[tuple[str, Fault]] = []
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

    def publish(self, repo_id: str, folder: Path) -> str:
        """Serves the files of `folder` as they are now as the main branch of `repo_id`; returns the commit."""
        self.repositories[repo_id] = {path.name: StoredFile(path) for path in folder.iterdir()}
        return self.commit(repo_id)

    def commit(self, repo_id: str) -> str:
        """The only commit of a repository: 40 hexadecimal digits."""
        return hashlib.sha1(repo_id.encode()).hexdigest()

    def misbehave(self, path_end: str, fault: Fault) -> None:
        """From now on `fault` answers every request whose path ends with `path_end`; "" means all."""
        self._faults.append((path_end, fault))

    def fault_for(self, path: str) -> Fault | None:
        return next((fault for path_end, fault in self._faults if path.endswith(path_end)), None)

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

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, self.path, headers))
        fault = self.hub.fault_for(self.path)
        try:
            fault(self) if fault else self._answer()
        except ConnectionError:
            self.close_connection = True  # The client has left, as clients of a server under test do.

    do_HEAD = do_GET  # noqa: N815  # the base class names it so

    def _answer(self) -> None:
        if self.path.startswith("/storage/"):
            self._answer_storage(self.path.removeprefix("/storage/"))
        elif match := RESOLVE.fullmatch(self.path):
            self._answer_resolve(**match.groupdict())
        else:
            self.send(404)

    def _answer_resolve(self, repo: str, revision: str, file: str) -> None:
        files = self.hub.repositories.get(repo)
        if files is None:
            return self.send(404, {"X-Error-Code": "RepoNotFound"})
        commit = self.hub.commit(repo)
        if revision not in ("main", commit):
            return self.send(404, {"X-Error-Code": "RevisionNotFound"})
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
        for files in self.hub.repositories.values():
            for stored in files.values():
                if stored.is_large and stored.etag == etag:
                    return self.send_file(stored, {})
        return self.send(404)

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
        self._send_head(206 if asked else 200, size - start, {**headers, **name, **part})
        if self.command != "HEAD":
            with stored.path.open("rb") as content:
                content.seek(start)
                shutil.copyfileobj(content, self.wfile, 1 << 20)

    def _send_head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Nothing: tests look at `requests`."""


Fault = Callable[[HubHandler], None]


def refuse(status: int, error_code: str = "") -> Fault:
    """Answers with `status` and, as the Hub does, its reason in X-Error-Code."""
    return lambda handler: handler.send(status, {"X-Error-Code": error_code} if error_code else {})


def answer_page(handler: HubHandler) -> None:
    """Answers everything with a log-in page, as a hotel's network does."""
    handler.send(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")


def hang(handler: HubHandler) -> None:
    """Accepts and never answers, until the server closes."""
    handler.hub.closing.wait()
    handler.close_connection = True
