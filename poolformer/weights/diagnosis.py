"""Sentences for what can go wrong between this machine and the Hub: what happened, and what to do."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from socket import gaierror
from typing import Literal
from urllib.parse import urlsplit

import httpx2

from poolformer.errors import HubUnreachableError, WeightsError
from poolformer.weights.transfer import BUSY_STATUSES, TRIES, DamagedError, pause_asked_s
from poolformer.weights.watch import StalledError

# What an error of huggingface_hub means; hub.py, its only importer, says which class means what.
Meaning = Literal["gated", "no repository", "no revision", "offline mode", "not the hub"]

TRY_AGAIN = "connect to the network (or check the proxy and HF_ENDPOINT) and try again"
GET_TOKEN = "log in with `hf auth login` or set HF_TOKEN"


class MissingError(Exception):
    """A repository lacks the file of this name, which it must have."""


class NetworkForbiddenError(Exception):
    """What was asked for is not in the cache, and the caller said that only the cache may be used."""


@dataclass(frozen=True)
class Diagnosis:
    """The kind of error to raise, and the two halves of its sentence."""

    kind: type[WeightsError]
    reason: str
    remedy: str


@dataclass(frozen=True)
class Subject:
    """What was asked for, and of whom."""

    repo_id: str
    revision: str
    endpoint: str

    @property
    def host(self) -> str:
        """Name and port, without the user and password that an address may carry."""
        return urlsplit(self.endpoint).netloc.rpartition("@")[2] or self.endpoint


def diagnose(error: BaseException, subject: Subject, meanings: Mapping[type[BaseException], Meaning]) -> Diagnosis:
    """What to say of any error that came of talking to the Hub or of storing what it sent."""
    host = subject.host
    for cause in _causes(error):
        meaning = next((meaning for kind, meaning in meanings.items() if isinstance(cause, kind)), None)
        response = getattr(cause, "response", None)
        if isinstance(response, httpx2.Response):
            return _diagnose_answer(response, meaning, subject)
        match cause:
            case _ if meaning == "offline mode":
                reason = "HF_HUB_OFFLINE forbids asking the Hub"
                return Diagnosis(HubUnreachableError, reason, "unset HF_HUB_OFFLINE and try again")
            case _ if meaning == "not the hub":
                reason = f"what answers as {host} is not the Hub (a log-in page of the network?)"
                return Diagnosis(HubUnreachableError, reason, TRY_AGAIN)
            case NetworkForbiddenError():
                reason = "it is not in the cache and local_files_only forbids fetching it"
                return Diagnosis(HubUnreachableError, reason, "allow the network")
            case MissingError():
                remedy = "check the name and the revision, or tell the repository's owner"
                return Diagnosis(WeightsError, f"{subject.repo_id} on {host} has no {cause} (404)", remedy)
            case DamagedError():
                reason = f"{cause} arrived damaged each time (a log-in page of the network, or a proxy?)"
                return Diagnosis(WeightsError, reason, "try again from another network")
            case gaierror():
                return Diagnosis(HubUnreachableError, f"the name {host} does not resolve", TRY_AGAIN)
            case ConnectionRefusedError():
                return Diagnosis(HubUnreachableError, f"{host} refuses the connection", TRY_AGAIN)
            case ssl.SSLError():
                return Diagnosis(HubUnreachableError, f"{host} has no certificate that this machine trusts", TRY_AGAIN)
            case StalledError():
                reason = f"{host} does not answer in time (no progress for {cause.limit_s:g} s)"
                return Diagnosis(HubUnreachableError, reason, TRY_AGAIN)
            case TimeoutError() | httpx2.TimeoutException():
                return Diagnosis(HubUnreachableError, f"{host} does not answer in time", TRY_AGAIN)
    if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL | ConnectionError):
        return Diagnosis(HubUnreachableError, f"the connection to {host} failed ({error})", TRY_AGAIN)
    if isinstance(error, OSError) and error.strerror:
        remedy = "check that the cache folder can be written and its disk has space, and try again"
        return Diagnosis(WeightsError, f"the transfer could not be completed ({error.strerror})", remedy)
    reason = str(error).partition("\n")[0] or type(error).__name__
    return Diagnosis(WeightsError, f"the transfer could not be completed ({reason})", "try again")


def _diagnose_answer(response: httpx2.Response, meaning: Meaning | None, subject: Subject) -> Diagnosis:
    """`diagnose` for an answer whose HTTP status means no."""
    status, host, repo_id = response.status_code, subject.host, subject.repo_id
    if meaning == "gated" or status == 403:
        remedy = f"ask for access on the repository's page, then {GET_TOKEN}"
        return Diagnosis(WeightsError, f"{host} refuses access to {repo_id} ({status})", remedy)
    if meaning == "no repository":
        remedy = f"check the name and HF_ENDPOINT or, if the repository is private, {GET_TOKEN}"
        return Diagnosis(WeightsError, f"{host} shows no repository {repo_id} ({status})", remedy)
    if meaning == "no revision":
        reason = f"{repo_id} on {host} has no branch, tag or commit {subject.revision} ({status})"
        return Diagnosis(WeightsError, reason, "check the revision and HF_ENDPOINT")
    if status == 401:
        return Diagnosis(WeightsError, f"{host} does not accept the token (401)", f"{GET_TOKEN} again, or use no token")
    if status == 404:
        return Diagnosis(WeightsError, f"{repo_id} on {host} lacks a file (404)", "check the name and HF_ENDPOINT")
    if status not in BUSY_STATUSES:
        return Diagnosis(WeightsError, f"{host} answers with status {status}", "try again later")
    pause_s = pause_asked_s(response)
    what = "has had too many requests from here (429)" if status == 429 else f"answers with status {status}"
    how_often = f", {TRIES} times in a row" if pause_s is None else f" and asks for a pause of {pause_s:g} s"
    remedy = "try again in a few minutes" if pause_s is None else f"try again in {pause_s:g} s"
    return Diagnosis(HubUnreachableError, f"{host} {what}{how_often}", remedy)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then what it was raised from, down to the first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
