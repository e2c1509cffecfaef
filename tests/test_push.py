"""Uploads of a folder, against a local Hub that takes large files over Git's large-file storage."""

import os

import pytest
from hub_faults import hang, refuse
from hub_server import local_network
from hub_uploads import COMMIT
from huggingface_hub import constants

from poolformer.errors import HubUnreachableError, WeightsError
from poolformer.weights import fetch
from poolformer.weights.hub import push_folder

# What huggingface_hub 2.4 does with httpx2 in uploading a large file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")

REPO = "someone/finetuned"
FILES = {"config.json": b"{}", "README.md": b"# A model\n", "model.safetensors": os.urandom(10_000)}


@pytest.fixture(autouse=True)
def _older_protocol(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with local_network():
        yield


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def push(folder, hub, **options):
    return push_folder(REPO, folder, **{"token": "hf_secret", "endpoint": hub.endpoint} | options)


def test_a_folder_is_uploaded_whole_and_the_url_of_its_commit_comes_back(folder, hub):
    url = push(folder, hub, private=True, commit_message="Ten flowers")
    assert url == f"{hub.endpoint}/{REPO}/commit/{COMMIT}"
    uploaded = hub.uploads[REPO]
    assert uploaded.files == FILES
    assert uploaded.private
    assert uploaded.message == "Ten flowers"
    api = [request for request in hub.requests if request.path.startswith("/api/")]
    assert {request.headers["authorization"] for request in api if "validate" not in request.path} == {
        "Bearer hf_secret"
    }


def test_a_repository_that_exists_is_uploaded_to(folder, hub):
    push(folder, hub)
    (folder / "config.json").write_bytes(b'{"more": 1}')
    push(folder, hub)
    assert hub.uploads[REPO].files["config.json"] == b'{"more": 1}'


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, WeightsError, "log in with `hf auth login` or set HF_TOKEN"),
        (403, WeightsError, "refuses access"),
        (503, HubUnreachableError, "status 503"),
    ],
)
def test_a_refusal_is_a_sentence(status, kind, words, folder, hub):
    hub.misbehave("/api/repos/create", refuse(status))
    with pytest.raises(WeightsError, match=f"^{REPO} cannot be uploaded: .*{words}.*[.]$") as caught:
        push(folder, hub)
    assert type(caught.value) is kind


def test_a_hub_that_never_answers_is_given_up(folder, hub, monkeypatch):
    monkeypatch.setattr(fetch, "STALL_S", 0.1)
    hub.misbehave("", hang)
    with pytest.raises(HubUnreachableError, match="does not answer in time"):
        push(folder, hub)


def test_a_folder_with_nothing_in_it_is_refused(tmp_path, hub):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(WeightsError, match="nothing to upload"):
            push(folder, hub)
    assert hub.requests == []


def test_a_name_that_no_repository_has_is_refused(folder, hub):
    with pytest.raises(WeightsError, match="write it as owner/name"):
        push_folder("a/b/c", folder, endpoint=hub.endpoint)
    assert hub.requests == []
