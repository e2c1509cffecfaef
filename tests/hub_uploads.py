"""The Hub's side of an upload, for the local server: a repository is made, large files go to storage, then a commit.

It speaks the older of the two ways, Git's large-file storage; the newer one (hf_xet) has a host and a protocol of its
own. `huggingface_hub` takes the older one under HF_HUB_DISABLE_XET.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub_server import HubHandler

LARGE_SUFFIXES = (".safetensors", ".bin")  # kept in large-file storage, as on the Hub
COMMIT = hashlib.sha1(b"an upload").hexdigest()


Answer = tuple[int, dict[str, Any]]  # status and body


@dataclass
class UploadedRepository:
    """What has been uploaded: how the repository was made, each file's content, and the commit's message."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    message: str = ""


def answer_upload(handler: HubHandler) -> None:
    """Answers one POST or PUT of an upload."""
    body = handler.rfile.read(int(handler.headers["Content-Length"]))
    for pattern, answer in ROUTES.items():
        if match := re.fullmatch(pattern, handler.path.partition("?")[0]):
            status, values = answer(handler, body, **match.groupdict())
            return handler.send(status, {"Content-Type": "application/json"}, json.dumps(values).encode())
    return handler.send(404)


def _create(handler: HubHandler, body: bytes) -> Answer:
    wanted = json.loads(body)
    repo_id = f"{wanted['organization']}/{wanted['name']}"
    status = 409 if repo_id in handler.hub.uploads else 200
    handler.hub.uploads.setdefault(repo_id, UploadedRepository(wanted.get("visibility") == "private"))
    return status, {"url": f"{handler.hub.endpoint}/{repo_id}"}


def _check_card(_handler: HubHandler, _body: bytes) -> Answer:
    return 200, {"errors": [], "warnings": []}


def _sort(_handler: HubHandler, body: bytes, repo: str) -> Answer:  # noqa: ARG001  # the routes name it
    """Which files are large: they go to storage, and the commit only names them."""
    paths = [file["path"] for file in json.loads(body)["files"]]
    modes = {path: "lfs" if path.endswith(LARGE_SUFFIXES) else "regular" for path in paths}
    return 200, {"files": [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]}


def _offer_storage(handler: HubHandler, body: bytes, repo: str) -> Answer:
    def offer(wanted: dict[str, Any]) -> dict[str, Any]:
        address = f"{handler.hub.endpoint}/{repo}/upload/{wanted['oid']}"
        return {"oid": wanted["oid"], "size": wanted["size"], "actions": {"upload": {"href": address}}}

    return 200, {"transfer": "basic", "objects": [offer(wanted) for wanted in json.loads(body)["objects"]]}


def _receive(handler: HubHandler, body: bytes, repo: str, oid: str) -> Answer:
    assert hashlib.sha256(body).hexdigest() == oid
    handler.hub.uploads[repo].files[oid] = body
    return 200, {}


def _commit(handler: HubHandler, body: bytes, repo: str) -> Answer:
    repository = handler.hub.uploads[repo]
    for line in body.splitlines():
        match json.loads(line):
            case {"key": "header", "value": header}:
                repository.message = header["summary"]
            case {"key": "file", "value": file}:
                repository.files[file["path"]] = base64.b64decode(file["content"])
            case {"key": "lfsFile", "value": file}:
                repository.files[file["path"]] = repository.files.pop(file["oid"])
    return 200, {"success": True, "commitOid": COMMIT, "commitUrl": f"{handler.hub.endpoint}/{repo}/commit/{COMMIT}"}


REPO = r"(?P<repo>[^/]+/[^/]+)"
ROUTES = {
    "/api/repos/create": _create,
    "/api/validate-yaml": _check_card,
    rf"/api/models/{REPO}/preupload/main": _sort,
    rf"/{REPO}\.git/info/lfs/objects/batch": _offer_storage,
    rf"/{REPO}/upload/(?P<oid>[0-9a-f]+)": _receive,
    rf"/api/models/{REPO}/commit/main": _commit,
}
