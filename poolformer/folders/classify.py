"""Many files through one network: several threads open them while it computes, and they come out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch

from poolformer.errors import ImageError, PoolFormerError, WeightsError
from poolformer.folders.rows import Row
from poolformer.folders.walk import FoundFile, printable
from poolformer.images.decode import decode_image
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.images.sharing import core_count
from poolformer.inference.loading import ReadyVariant
from poolformer.service import TOP_COUNT, Prediction

BATCH_SIZE = 16  # On a processor larger batches gain nothing.
MAX_DECODERS = 16  # a picture takes up to 512 MiB while it is decoded, one of a phone about 100
MAX_WAITING_BATCHES = 4  # where hardly a file is a picture, a batch is not waited for any longer

PixelValues = npt.NDArray[np.float32]  # (C, H, W)
Opened = tuple[FoundFile, PixelValues | str]  # a string says why there are none


def classify_files(
    files: Iterable[FoundFile], variant: ReadyVariant, batch_size: int = BATCH_SIZE, decoders: int | None = None
) -> Generator[Row, None, None]:
    """One row a file, in the order of `files`.

    While one batch is in the network, `decoders` threads open the next; by default there are as many as cores, up to
    MAX_DECODERS. So two batches of pixel_values are in memory, and a picture a thread, and no more is taken from
    `files`.

    Raises:
        PoolFormerError: a batch does not fit in the memory of the variant's device.
        WeightsError: a logit is not a finite number.
    """
    decoders = decoders or min(core_count(), MAX_DECODERS)
    pool = ThreadPoolExecutor(decoders, thread_name_prefix="decode")
    waiting: list[Opened] = []
    picture_count = 0
    try:
        for opened in _opened_ahead(files, variant.processor, pool, max(batch_size, decoders)):
            waiting.append(opened)
            picture_count += not isinstance(opened[1], str)
            if picture_count == batch_size or len(waiting) == MAX_WAITING_BATCHES * batch_size:
                yield from _rows(waiting, variant, batch_size)
                waiting, picture_count = [], 0
        yield from _rows(waiting, variant, batch_size)
    finally:
        pool.shutdown(cancel_futures=True)


def _opened_ahead(
    files: Iterable[FoundFile], processor: PoolFormerImageProcessorPil, pool: ThreadPoolExecutor, ahead: int
) -> Iterator[Opened]:
    """The files, opened, in order; so many are being opened, or are open, before one is taken."""
    underway: deque[tuple[FoundFile, Future[PixelValues | str]]] = deque()
    for file in files:
        underway.append((file, pool.submit(_open, file, processor)))
        if len(underway) > ahead:
            first, future = underway.popleft()
            yield first, future.result()
    while underway:
        first, future = underway.popleft()
        yield first, future.result()


def _open(file: FoundFile, processor: PoolFormerImageProcessorPil) -> PixelValues | str:
    if file.reason:
        return printable(file.reason)
    try:
        pixel_values: PixelValues = processor(decode_image(file.path), return_tensors="np").pixel_values[0]
    except ImageError as error:
        return printable(str(error))
    return pixel_values


def _rows(opened: list[Opened], variant: ReadyVariant, batch_size: int) -> Iterator[Row]:
    predictions = _predictions([p for _, p in opened if not isinstance(p, str)], variant, batch_size)
    for file, picture in opened:
        if isinstance(picture, str):
            yield Row(file.name, variant.name, error=picture)
        else:
            yield Row(file.name, variant.name, next(predictions))


def _predictions(
    pictures: list[PixelValues], variant: ReadyVariant, batch_size: int
) -> Iterator[tuple[Prediction, ...]]:
    for _, alike in groupby(pictures, key=np.shape):  # They differ where the processor does not crop.
        logits = _logits(list(alike), variant, batch_size)
        scores, indices = logits.softmax(-1).topk(min(TOP_COUNT, len(variant.labels)))
        for row in zip(scores.tolist(), indices.tolist(), strict=True):
            yield tuple(Prediction(variant.labels[i], score, i) for score, i in zip(*row, strict=True))


def _logits(pictures: list[PixelValues], variant: ReadyVariant, batch_size: int) -> torch.Tensor:
    """(B, num_labels), float32, on the CPU."""
    count = len(pictures)
    if variant.network.compiled:  # For another batch size it would be compiled again.
        pictures = pictures + [np.zeros_like(pictures[0])] * (batch_size - count)
    try:
        logits = variant.network(torch.from_numpy(np.stack(pictures))).logits[:count].float().cpu()
    except torch.OutOfMemoryError as error:
        raise PoolFormerError(
            f"The device {variant.network.device} has no memory for {len(pictures)} pictures at a time; choose a "
            "smaller --batch-size."
        ) from error
    if not logits.isfinite().all():
        raise WeightsError(f"The scores of {variant.name} are no finite numbers: its weights are damaged.")
    return logits
