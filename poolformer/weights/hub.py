"""The Hub: repositories by name, cache first, network second. The only importer of huggingface_hub.

The rules, and the deadlines behind them:

- What is in the cache is opened without one network call, and checked against the hash it is named for. A damaged file
  is removed and fetched again.
- Otherwise the Hub has `PREFLIGHT_S` for its first answer. A fetch that cannot succeed therefore says so within 5
  seconds; huggingface_hub alone retries for 23 s when the name does not resolve.
- Then the files come over plain HTTP, all of one commit. While bytes flow they may take any time; a request that
  brings no byte for `READ_TIMEOUT_S` is made again from where it stopped, and without progress for `STALL_S` the fetch
  is given up. huggingface_hub alone waits for 66 s when a body stalls, for 395 s when a server accepts and never
  answers, and for over 100 s when the storage host of hf_xet is blocked; hence no hf_xet here.
- Busy answers (429, 5xx) are tried a few times; a fetch can be cancelled at any time, and started again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import httpx2
from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # all public, none exported explicitly
    WeakFileLock,
    build_hf_headers,
    get_session,
    hf_raise_for_status,
    tqdm,
    validate_repo_id,
)

from poolformer.errors import WeightsError
from poolformer.weights import fetch
from poolformer.weights.cache import SAFE_NAME, RepositoryCache
from poolformer.weights.diagnosis import Meaning, MissingError, NetworkForbiddenError, Subject, diagnose
from poolformer.weights.fetch import Answer, fetch_parts, find_cached
from poolformer.weights.files import NAMES, PARTS, Part
from poolformer.weights.transfer import Announcement, Bar, DamagedError
from poolformer.weights.watch import CancelledError, Watch, call_watched

LIBRARY_NAME = "poolformer"  # in the user agent that the Hub sees
COMMIT_HEADER = "X-Repo-Commit"
MEANINGS: dict[type[BaseException], Meaning] = {
    GatedRepoError: "gated",  # It is a RepositoryNotFoundError too, so it comes first.
    RepositoryNotFoundError: "no repository",
    RevisionNotFoundError: "no revision",
    OfflineModeIsEnabled: "offline mode",
    FileMetadataError: "not the hub",
}
# What talking to the Hub and storing what it sends may raise; files in the cache that cannot be read, too.
FAILURES = (httpx2.HTTPError, httpx2.InvalidURL, OSError, DamagedError, MissingError, NetworkForbiddenError)
UPLOAD_FAILURES = (*FAILURES, RuntimeError, ValueError)  # RuntimeError is what hf_xet raises for most


@dataclass(frozen=True)
class Snapshot:
    """A folder with files of one commit, and whether all that was asked for was in the cache."""

    folder: Path
    from_cache: bool


def cached_folder(hub_id: str, *, cache_dir: str | Path | None = None) -> Path | None:
    """The cached snapshot of a repository's main branch, if it has config and weights; no network, nothing checked.

    `cache_dir` defaults to huggingface_hub's (HF_HUB_CACHE, HF_HOME).
    """
    return find_cached(_cache(hub_id, cache_dir), constants.DEFAULT_REVISION, PARTS)


def fetch_snapshot(
    repo_id: str,
    *,
    revision: str | None = None,
    parts: Collection[Part] = PARTS,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    endpoint: str | None = None,
    local_files_only: bool = False,
    cancelled: Event | None = None,
) -> Path:
    """The folder with the asked-for files of any repository on the Hub, all of one commit: cache first, network second.

    `revision` is a branch, a tag or a commit of 40 hexadecimal digits; without it, the main branch. `parts` says what
    is wanted: "config" is config.json, "weights" model.safetensors or, where there is none, pytorch_model.bin, and
    "preprocessor" preprocessor_config.json *if the repository has one*; the other two must exist. The folder may hold
    more than was asked for. What is cached is used without one network call, also for a branch that has moved since;
    it is checked by its hash, and a damaged file is removed and fetched again.

    `cache_dir`, `token` and `endpoint` default to what huggingface_hub would use (HF_HUB_CACHE, HF_TOKEN,
    HF_ENDPOINT); `local_files_only` forbids the network. Setting `cancelled` from another thread ends a fetch.

    Raises:
        HubUnreachableError: not in the cache, and the Hub cannot be asked, is busy or does not answer.
        WeightsError: the Hub refused (401, 403, 404), a file is missing there, arrived damaged or could not be stored;
            or the fetch was cancelled.
    """
    return open_snapshot(
        repo_id,
        revision=revision,
        parts=parts,
        cache_dir=cache_dir,
        token=token,
        endpoint=endpoint,
        local_files_only=local_files_only,
        cancelled=cancelled,
    ).folder


def open_snapshot(
    repo_id: str,
    *,
    revision: str | None = None,
    parts: Collection[Part] = PARTS,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    endpoint: str | None = None,
    local_files_only: bool = False,
    cancelled: Event | None = None,
    title: str | None = None,
    hint: Callable[[], str] = str,
) -> Snapshot:
    """As `fetch_snapshot`, and whether the network was needed.

    Errors speak of `title`, by default the repository, and say what `hint` returns then: what else can be done.
    """
    subject, title = _subject(repo_id, revision, endpoint), title or repo_id
    cache, revision, damaged = _cache(repo_id, cache_dir), subject.revision, list[str]()
    try:
        damaged = cache.discard_damaged(cache.commit(revision), [name for part in parts for name in NAMES[part]])
        cached = find_cached(cache, revision, parts)
        if cached is not None and not damaged:
            return Snapshot(cached, from_cache=True)
        if local_files_only:
            raise NetworkForbiddenError
        repository = HubRepository(subject, token)
        folder = call_watched(
            lambda watch: _fetch(repository, cache, subject.revision, parts, watch), fetch.PREFLIGHT_S, cancelled
        )
    except CancelledError as error:
        raise WeightsError(f"The fetch of {title} was cancelled; start it again when you want it.") from error
    except FAILURES as error:
        found = diagnose(error, subject, MEANINGS)
        removed = f"its cached {' and '.join(damaged)} was damaged and has been removed, and " if damaged else ""
        sentence = f"{title} cannot be fetched: {removed}{found.reason}; {hint()}to get {title}, {found.remedy}."
        raise found.kind(sentence) from error
    return Snapshot(folder, from_cache=False)


def push_folder(
    repo_id: str,
    folder: str | Path,
    *,
    token: str | bool | None = None,
    private: bool | None = None,
    commit_message: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Uploads the files of `folder` to the main branch of a model repository; the URL of the commit.

    The repository is made if it is not there, `private` if so asked; files of the same name are replaced, others stay.
    The Hub has `STALL_S` seconds to make the repository; an upload that has begun keeps huggingface_hub's own limits.

    Raises:
        HubUnreachableError: the Hub cannot be asked or does not answer.
        WeightsError: the folder is missing or empty, the name is not owner/name, or the Hub refused.
    """
    if not Path(folder).is_dir() or not any(Path(folder).iterdir()):
        raise WeightsError(f"There is nothing to upload in {folder}; save a model there first.")
    subject = _subject(repo_id, None, endpoint)
    api = HfApi(endpoint=subject.endpoint, token=token, library_name=LIBRARY_NAME)
    try:
        call_watched(lambda _: api.create_repo(repo_id, private=private, exist_ok=True), fetch.STALL_S)
        commit = api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=commit_message)
    except UPLOAD_FAILURES as error:
        found = diagnose(error, subject, MEANINGS)
        raise found.kind(f"{repo_id} cannot be uploaded: {found.reason}; {found.remedy}.") from error
    return str(commit.commit_url)


def _subject(repo_id: str, revision: str | None, endpoint: str | None) -> Subject:
    """What is asked for, once the names in it can be trusted as parts of a path."""
    revision = revision or constants.DEFAULT_REVISION
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise WeightsError(f"{repo_id!r} is not the name of a repository; write it as owner/name.") from error
    if ".." in revision or not SAFE_NAME.match(revision):
        raise WeightsError(f"{revision!r} is not the name of a branch, tag or commit; check the revision.")
    return Subject(repo_id, revision, endpoint or constants.ENDPOINT)


def _cache(repo_id: str, cache_dir: str | Path | None) -> RepositoryCache:
    return RepositoryCache(Path(cache_dir or constants.HF_HUB_CACHE), repo_id)


def _fetch(
    repository: HubRepository, cache: RepositoryCache, revision: str, parts: Collection[Part], watch: Watch
) -> Path:
    """The snapshot from the Hub: of the commit that the cache remembers, so that what is there is completed.

    If the Hub no longer has that commit, as after a squashed history, of what the branch points to now.
    """
    remembered = cache.commit(revision)
    try:
        folder = fetch_parts(repository, cache, remembered, parts, watch)
    except RevisionNotFoundError:
        if remembered == revision:
            raise
        folder = fetch_parts(repository, cache, revision, parts, watch)
    cache.point(revision, folder.name)
    return folder


@dataclass(frozen=True)
class HubRepository:
    """A repository as `fetch` sees it, by the calls of huggingface_hub; implements `fetch.Repository`."""

    subject: Subject
    token: str | bool | None

    def ask(self, name: str, revision: str, timeout_s: float) -> Answer:
        url = self._url(name, revision)
        try:
            found = get_hf_file_metadata(
                url, token=self.token, timeout=timeout_s, library_name=LIBRARY_NAME, endpoint=self.subject.endpoint
            )
        except RemoteEntryNotFoundError as error:
            return Answer(error.response.headers.get(COMMIT_HEADER, revision), None)
        for value in (found.commit_hash, found.etag):  # They become names of files here.
            if value is None or not SAFE_NAME.fullmatch(value):
                raise FileMetadataError(f"no commit and ETag in the answer to {url}")
        return Answer(str(found.commit_hash), Announcement(name, str(found.etag), found.size))

    @contextmanager
    def open_body(self, name: str, commit: str, start: int, timeout_s: float) -> Iterator[httpx2.Response]:
        headers = build_hf_headers(token=self.token, library_name=LIBRARY_NAME)
        headers["Accept-Encoding"] = "identity"  # so that bytes are counted as they are stored
        if start:
            headers["Range"] = f"bytes={start}-"
        # Large files redirect to another host, which gets no token: httpx leaves it out.
        with get_session().stream("GET", self._url(name, commit), headers=headers, timeout=timeout_s) as response:
            hf_raise_for_status(response)
            yield response

    def new_bar(self, announced: Announcement) -> AbstractContextManager[Bar]:
        bar: AbstractContextManager[Bar] = tqdm(  # type: ignore[no-untyped-call]
            desc=announced.name, total=announced.size_bytes, unit="B", unit_scale=True, name=LIBRARY_NAME
        )
        return bar

    def lock_file(self, path: Path, timeout_s: float) -> AbstractContextManager[object]:
        return WeakFileLock(path, timeout=timeout_s)

    def _url(self, name: str, revision: str) -> str:
        return hf_hub_url(self.subject.repo_id, name, revision=revision, endpoint=self.subject.endpoint)
