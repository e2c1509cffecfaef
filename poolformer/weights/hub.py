"""The Hub: checkpoints by repository name, cache first, network second. The only importer of huggingface_hub.

The rules, and the deadlines behind them:

- A checkpoint whose config and weights are in the cache is opened without one network call (`cached_folder`).
- Otherwise one small question goes to the Hub first, and has `PREFLIGHT_S` to be answered (`fetch_folder`). A fetch
  that cannot succeed therefore says so within 5 seconds; huggingface_hub alone retries for 23 s when the name does not
  resolve.
- Only then are the files downloaded, all of one commit. A download that has begun keeps huggingface_hub's own timeouts
  and retries: 10 s without a byte, then resumed, five times.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from pathlib import Path
from socket import gaierror
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from poolformer.errors import HubUnreachableError, WeightsError
from poolformer.nn.config import CONFIG_NAME
from poolformer.weights.files import PREPROCESSOR_NAME, WEIGHTS_NAMES, find_files
from poolformer.weights.variants import BUNDLED_NAME, VARIANTS

PREFLIGHT_S = 4.0  # seconds for the Hub's first answer: a second of room below the 5 s that we promise

_T = TypeVar("_T")


def cached_folder(hub_id: str, *, cache_dir: Path | None = None) -> Path | None:
    """The cached snapshot of a repository's main branch, if its config and weights are complete; no network.

    `cache_dir` defaults to huggingface_hub's (HF_HUB_CACHE, HF_HOME). A file appears in a snapshot only when all of it
    has arrived, so a file that is there is complete.
    """
    config = try_to_load_from_cache(hub_id, CONFIG_NAME, cache_dir=cache_dir)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if find_files(folder) else None


def fetch_folder(
    name: str,
    *,
    cache_dir: Path | None = None,
    token: str | bool | None = None,
    endpoint: str | None = None,
) -> Path:
    """The snapshot folder of the published variant `name`, downloaded into the cache with a progress bar a file.

    The Hub has `PREFLIGHT_S` seconds to answer before anything is downloaded. `endpoint` defaults to HF_ENDPOINT,
    `token` to the one that huggingface_hub finds. Proxies and HF_HUB_OFFLINE are honoured.

    Raises:
        HubUnreachableError: no answer, within 5 seconds; the sentence names what still works and what to do.
        WeightsError: the Hub refused (401, 403, 404), or a file could not be stored.
    """
    hub_id, endpoint = VARIANTS[name].hub_id, endpoint or constants.ENDPOINT
    try:
        _call_within(PREFLIGHT_S, lambda: _ask(hub_id, token, endpoint))
        return _download(hub_id, cache_dir, token, endpoint)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, RuntimeError) as error:  # hf_xet raises RuntimeError for most
        kind, reason, remedy = _diagnose(error, hub_id, endpoint)
        usable = " and ".join(usable_names(cache_dir))
        sentence = f"{name} cannot be fetched: {reason}; meanwhile you can use {usable}; to get {name}, {remedy}."
        raise kind(sentence) from error


def usable_names(cache_dir: Path | None = None) -> list[str]:
    """The variants that need no network now: the bundled one and those in the cache."""
    cached = [row.name for row in VARIANTS.values() if cached_folder(row.hub_id, cache_dir=cache_dir)]
    return [BUNDLED_NAME, *cached]


class DownloadBar(tqdm):
    """One progress bar a file, in bytes, that reports to whoever started the download.

    Gradio's `Progress(track_tqdm=True)` looks up the visitor to report to in context variables. hf_xet counts from a
    thread of its own, where they are empty, so every update runs in the context that the bar was made in. hf_xet would
    also draw a second bar for bytes received, which Gradio adds to the first; having `update_transfer` prevents it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._context = copy_context()
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]

    def update(self, n: float | None = 1) -> bool | None:
        # A copy, because a context cannot be entered by two threads at once.
        updated: bool | None = self._context.copy().run(super().update, n)
        return updated

    def update_transfer(self, n: int) -> None:
        """Bytes received: not shown, `update` counts the same bytes when they are written."""

    def set_transfer_postfix_str(self, text: str, refresh: bool = True) -> None:
        """The speed of receiving: not shown, as above."""


def _call_within(deadline_s: float, call: Callable[[], _T]) -> _T:
    """What `call` returns or raises; TimeoutError after `deadline_s` seconds.

    The call then goes on in a daemon thread that nobody waits for: a name look-up cannot be interrupted.
    """
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, name="hub-preflight", daemon=True).start()
    return future.result(timeout=deadline_s)


def _ask(hub_id: str, token: str | bool | None, endpoint: str) -> None:
    """Asks once, without retries, what the Hub knows of the config file; raises what huggingface_hub raises."""
    url = hf_hub_url(hub_id, CONFIG_NAME, endpoint=endpoint)
    answer = get_hf_file_metadata(url, token=token, timeout=PREFLIGHT_S, endpoint=endpoint)
    if answer.commit_hash is None:
        raise FileMetadataError("no commit in the answer")


def _download(hub_id: str, cache_dir: Path | None, token: str | bool | None, endpoint: str) -> Path:
    """Downloads config, preprocessor config and the preferred weights, in this order, so that weights mean complete."""

    def get(filename: str, revision: str) -> Path:
        path = hf_hub_download(
            hub_id,
            filename,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            endpoint=endpoint,
            tqdm_class=DownloadBar,
        )
        return Path(path)

    folder = get(CONFIG_NAME, constants.DEFAULT_REVISION).parent
    commit = folder.name  # A branch may move between two files; a commit does not.
    _first_existing(get, (PREPROCESSOR_NAME,), commit)
    if not _first_existing(get, WEIGHTS_NAMES, commit):
        raise WeightsError(f"{hub_id} has neither {' nor '.join(WEIGHTS_NAMES)}; tell the repository's owner.")
    return folder


def _first_existing(get: Callable[[str, str], Path], names: tuple[str, ...], commit: str) -> bool:
    """Downloads the first of `names` that the repository has; whether it has one."""
    for name in names:
        try:
            get(name, commit)
        except RemoteEntryNotFoundError:
            continue
        return True
    return False


def _diagnose(error: Exception, hub_id: str, endpoint: str) -> tuple[type[WeightsError], str, str]:
    """(kind of error, what happened, what to do) for anything that huggingface_hub raised while fetching."""
    host = urlsplit(endpoint).netloc.rpartition("@")[2] or endpoint
    try_again = "connect to the network (or check the proxy and HF_ENDPOINT) and try again"
    for cause in _causes(error):
        match cause:
            case HfHubHTTPError():
                return _diagnose_status(cause, hub_id, host)
            case OfflineModeIsEnabled():
                return (
                    HubUnreachableError,
                    "HF_HUB_OFFLINE forbids asking the Hub",
                    "unset HF_HUB_OFFLINE and try again",
                )
            case gaierror():
                return HubUnreachableError, f"the name {host} does not resolve", try_again
            case ConnectionRefusedError():
                return HubUnreachableError, f"{host} refuses the connection", try_again
            case ssl.SSLError():
                return HubUnreachableError, f"{host} has no certificate that this machine trusts", try_again
            case TimeoutError() | httpx2.TimeoutException():
                return HubUnreachableError, f"{host} does not answer in time", try_again
            case FileMetadataError():
                reason = f"what answers as {host} is not the Hub (a log-in page of the network?)"
                return HubUnreachableError, reason, try_again
    if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL | ConnectionError):
        return HubUnreachableError, f"the connection to {host} failed ({error})", try_again
    reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
    remedy = "check that the cache folder can be written and its disk has space, and try again"
    return WeightsError, f"the download could not be completed ({reason})", remedy


def _diagnose_status(error: HfHubHTTPError, hub_id: str, host: str) -> tuple[type[WeightsError], str, str]:
    """`_diagnose` for an answer with an HTTP status that means no."""
    status = error.response.status_code
    get_token = "log in with `hf auth login` or set HF_TOKEN"
    if isinstance(error, GatedRepoError) or status == 403:
        remedy = f"ask for access on the repository's page, then {get_token}"
        return WeightsError, f"{host} refuses access to {hub_id} ({status})", remedy
    if isinstance(error, RepositoryNotFoundError):
        remedy = f"check HF_ENDPOINT or, if the repository is private, {get_token}"
        return WeightsError, f"{host} shows no repository {hub_id} ({status})", remedy
    if status == 401:
        return WeightsError, f"{host} does not accept the token (401)", f"{get_token} again, or use no token"
    if status == 404:
        return WeightsError, f"{hub_id} on {host} lacks a file or its main branch (404)", "check HF_ENDPOINT"
    if status == 429:
        return HubUnreachableError, f"{host} has had too many requests from here (429)", "try again in a few minutes"
    return HubUnreachableError, f"{host} answers with status {status}", "try again later"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then what it was raised from, down to the first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
