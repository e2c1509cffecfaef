"""Visits: a picture, good or bad, a variant, and what has to come back, which was computed alone before.

Whose answers got mixed up would be noticed: those of two good pictures differ by more than ten times the TOLERANCE, and
what is said of a bad one has its name in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.photos import with_comment, write_photos
from benchmarks.visitor import RefusedError, Visitor
from poolformer.errors import ImageError
from poolformer.service import PoolFormerService

TOLERANCE = 1e-5  # of probabilities: in a batch the sums are in another order
BAD_EVERY = 5  # one visit in so many brings a bad picture

Scores = tuple[float, ...]


@dataclass(frozen=True)
class Visit:
    """What is sent, and what has to come back: the probabilities, best first, or the refusal."""

    picture: Path
    variant: str
    scores: Scores = ()
    refusal: str = ""

    def complaint(self, scores: Sequence[float], refusal: str) -> str:
        """What is wrong with this answer, of which one part is empty; "" if it is right."""
        if self.refusal:
            return "" if self.refusal in refusal else f"{self.picture.name}: {refusal or 'was not refused'}"
        if refusal:
            return f"{self.picture.name}: {refusal}"
        return "" if _distance(scores, self.scores) < TOLERANCE else f"{self.picture.name}: another picture's answer"


def plan_visits(
    service: PoolFormerService, folder: Path, variants: Sequence[str], photos: int, count: int
) -> list[Visit]:
    """`count` visits, each with a file of its own that shows one of `photos` pictures, for one variant after the other.

    `service` says what has to come back.
    """
    examples = write_photos(folder, photos)
    good = itertools.cycle(_told_apart(service, examples, variants))
    bad = itertools.cycle(_bad_contents(examples[0].read_bytes()))
    visits = []
    for number in range(count):
        if number % BAD_EVERY == BAD_EVERY - 1:
            path = folder / f"bad-{number}.jpg"
            path.write_bytes(next(bad))
            visits.append(Visit(path, variants[number % len(variants)], refusal=_refusal(service, path, variants[0])))
        else:
            visit = next(good)
            path = folder / f"good-{number}.jpg"
            path.write_bytes(with_comment(visit.picture.read_bytes(), path.name.encode()))
            visits.append(Visit(path, visit.variant, visit.scores))
    return visits


def _told_apart(service: PoolFormerService, photos: Iterable[Path], variants: Sequence[str]) -> list[Visit]:
    """The photos in each variant, but for those whose answer is nearly that of another one."""
    visits: list[Visit] = []
    for photo, variant in itertools.product(photos, variants):
        scores = tuple(prediction.score for prediction in service.classify(photo, variant).predictions)
        if all(_distance(scores, other.scores) > 10 * TOLERANCE for other in visits):
            visits.append(Visit(photo, variant, scores))
    return visits


def _bad_contents(good: bytes) -> list[bytes]:
    return [b"", b"<html><body>no picture</body></html>", b"%PDF-1.7\n", good[: len(good) // 2]]


def _refusal(service: PoolFormerService, path: Path, variant: str) -> str:
    try:
        service.classify(path, variant)
    except ImageError as error:
        return str(error)
    raise AssertionError(f"{path.name} was not refused")


def _distance(scores: Sequence[float], others: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(scores, others, strict=True))


def send_visit(visitor: Visitor, visit: Visit) -> str:
    """What is wrong with the answer to a visit over HTTP; "" if it is right."""
    try:
        (answer,) = visitor.ask("classify", visit.picture, visit.variant)
    except (RefusedError, httpx2.HTTPError) as error:
        return visit.complaint((), str(error) or type(error).__name__)
    return visit.complaint([prediction["score"] for prediction in answer["predictions"]], "")
