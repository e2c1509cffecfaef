"""Checkpoints with random weights: how fast a network is does not depend on what it knows."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from poolformer import PoolFormerForImageClassification, PoolFormerImageProcessorPil
from poolformer.weights.cache import RepositoryCache
from poolformer.weights.integrity import BLOBS_NAME
from poolformer.weights.variants import VARIANTS
from tests.networks import randomise


def build_model(name: str) -> PoolFormerForImageClassification:
    """The variant's classifier with random weights, every one of which matters."""
    model = PoolFormerForImageClassification(VARIANTS[name].config())
    randomise(model)
    return model.requires_grad_(False)


def write_checkpoint(name: str, folder: Path) -> None:
    """A checkpoint of the variant with random weights, as either library reads it."""
    build_model(name).save_pretrained(folder)
    PoolFormerImageProcessorPil(crop_pct=VARIANTS[name].crop_pct).save_pretrained(folder)


def write_cached(name: str, cache_dir: Path) -> None:
    """The same in a Hub cache, as if it had been fetched from the variant's repository; once."""
    repository = RepositoryCache(cache_dir, VARIANTS[name].hub_id)
    if repository.folder.exists():
        return
    with tempfile.TemporaryDirectory(dir=cache_dir.parent) as temporary:
        write_checkpoint(name, Path(temporary))
        etags = {path: _etag(path) for path in sorted(Path(temporary).iterdir())}
        commit = hashlib.sha1("".join(etags.values()).encode()).hexdigest()
        (repository.folder / BLOBS_NAME).mkdir(parents=True)
        for path, etag in etags.items():
            path.rename(repository.blob(etag))
            repository.link(commit, path.name, etag)
        repository.point("main", commit)


def _etag(path: Path) -> str:
    """What the Hub calls a file: its sha256 if it is large, else git's object id."""
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
