"""Where a checkpoint's files come from, and where they go: a folder, or a repository of the Hub."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Protocol, Self

from poolformer.errors import WeightsError
from poolformer.weights.files import Part
from poolformer.weights.hub import fetch_snapshot, push_folder

Source = str | os.PathLike[str]  # a folder, a file, or owner/name


def locate(
    source: Source,
    parts: Collection[Part],
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """The folder or file that `source` names, or the cached snapshot of the repository owner/name, fetched if need be.

    What is there in the file system comes first, as in `transformers`. Of a repository only `parts` are fetched.

    Raises:
        HubUnreachableError: not in the cache, and the Hub cannot be asked or does not answer.
        WeightsError: neither a folder nor a repository, or the Hub refused.
    """
    if os.path.exists(source):
        return Path(source)
    if not isinstance(source, str) or source.startswith((".", "~", os.sep)) or source.count("/") != 1:
        raise WeightsError(f"There is no folder {str(source)!r}; give one, or a repository of the Hub as owner/name.")
    return fetch_snapshot(
        source, revision=revision, parts=parts, cache_dir=cache_dir, token=token, local_files_only=local_files_only
    )


class Saveable(Protocol):
    """Whatever writes itself into a folder."""

    def save_pretrained(self, folder: str | Path, /) -> None:
        """Writes the files."""


class PushToHub:
    """`push_to_hub` for a class that has `save_pretrained`."""

    def push_to_hub(
        self: Saveable,
        repo_id: str,
        *,
        token: str | bool | None = None,
        private: bool | None = None,
        commit_message: str | None = None,
    ) -> str:
        """Uploads what `save_pretrained` writes to a repository of the Hub, made if need be; the commit's URL.

        `token` defaults to the one that huggingface_hub finds, the Hub to HF_ENDPOINT. Other files there stay.

        Raises:
            HubUnreachableError: the Hub cannot be asked or does not answer.
            WeightsError: the name is not owner/name, or the Hub refused.
        """
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(repo_id, folder, token=token, private=private, commit_message=commit_message)


class DescribedInOneFile(PushToHub):
    """`from_pretrained` for a class whose base opens folders and JSON files: here repositories of the Hub, too."""

    hub_part: ClassVar[Part]

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Source,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        **overrides: Any,
    ) -> Self:
        """What the file in a folder, the JSON file, or the repository owner/name describes; `overrides` replace fields.

        Of a repository only that one file is fetched, cache first. `revision` is a branch, tag or commit; `cache_dir`
        and `token` are what huggingface_hub means by them; `local_files_only` forbids the network.

        Raises:
            ConfigError: no such file, no JSON, an unknown override, or a value that cannot be used.
            HubUnreachableError: not in the cache, and the Hub cannot be asked or does not answer.
            WeightsError: neither a folder nor a repository, or the Hub refused.
        """
        path = locate(
            pretrained_model_name_or_path,
            (cls.hub_part,),
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
        )
        opened: Self = super().from_pretrained(path, **overrides)  # type: ignore[misc]  # the other base's
        return opened
