"""What a stage's activations are drawn from: energy, principal components, strongest channels, the range of a grid.

A *stage* here is one picture's entry of `hidden_states` as a float array (C, H, W): C channels, H x W cells. It may be
a view with any strides; nothing is changed in place. Sums are accumulated in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Stage = npt.NDArray[np.floating[Any]]
Array = npt.NDArray[np.float64]

PCA_PERCENTILES = (1.0, 99.0)  # of each component's scores; drawn as 0 and 1, so that a few extreme cells do not
GRID_PERCENTILE = 99.5  # flatten all others
MID_GREY = 0.5

SIGN_TIE = 0.01  # loadings within this fraction of the largest count as equally large
ROUNDING = 1e-6  # of the cells' length: about ten float32 roundings, below which a difference means nothing
OUTLIER_SPREAD = 1e-3  # of the full range: percentiles closer than this would magnify what is nearly constant


@dataclass(frozen=True, eq=False)
class PcaMap:
    """The first three principal components of a stage's cells as a colour picture.

    rgb: float32 (H, W, 3) in [0, 1]; red is the first component, green the second, blue the third.
    explained: float64 (3,), each component's share of the variance over cells, in [0, 1], descending.
    components: float64 (3, C), loadings of unit length; zeros where the stage has no such component.
    """

    rgb: npt.NDArray[np.float32]
    explained: Array
    components: Array


def energy(stage: Stage) -> npt.NDArray[np.float32]:
    """Mean absolute activation of each cell: (C, H, W) -> float32 (H, W), at least 0, in the activations' own unit."""
    mean: Array = np.abs(stage).mean(axis=0, dtype=np.float64)
    return mean.astype(np.float32)


def pca_rgb(stage: Stage) -> PcaMap:
    """The stage's cells, (H*W) points in C dimensions, drawn in the colours of their first three principal components.

    The recipe, complete: subtract each channel's mean over the cells; take the three directions of largest variance;
    turn each so that its loading of largest magnitude is positive (of those within 1% of it, the lowest channel
    decides, so that a tie is not broken by rounding); map the 1st to 99th percentile of each direction's scores
    linearly to [0, 1] and clip. If nearly all cells are equal in a direction (the two percentiles closer than a
    thousandth of the full range), its full range is used instead.

    Two directions of exactly equal variance span a plane in which no basis is better than another; such stages do not
    come from photographs, and are the only ones whose colours a different LAPACK may choose differently.

    A stage has no more components than channels, nor than cells less one; a direction along which the cells differ by
    less than a millionth of their own root mean square length holds rounding only. Components that do not exist, and
    all of them when a value is not finite, are mid-grey 0.5 everywhere, with loadings and explained variance 0.
    """
    C, H, W = stage.shape
    cells = stage.reshape(C, H * W).astype(np.float64)  # (C, H, W) -> (C, H*W)
    components, explained = np.zeros((3, C)), np.zeros(3)
    rgb = np.full((H * W, 3), MID_GREY, dtype=np.float32)
    if np.isfinite(cells).all():
        rounding = ROUNDING**2 * np.square(cells).sum()
        cells -= cells.mean(axis=1, keepdims=True)
        axes, scatter = _principal_axes(cells, rounding)
        components[: len(axes)] = axes
        explained[: len(axes)] = scatter
        for k, scores in enumerate(axes @ cells):  # (k, C) @ (C, H*W)
            rgb[:, k] = _stretched(scores)
    return PcaMap(rgb.reshape(H, W, 3), explained, components)


def strongest_channels(stage: Stage, count: int = 16) -> npt.NDArray[np.intp]:
    """Indices of the `count` channels with the largest mean absolute activation, strongest first; ties by index.

    (C, H, W) -> (min(count, C),). A channel that is not finite comes last.
    """
    strength = np.abs(stage).mean(axis=(1, 2), dtype=np.float64)
    return np.argsort(-strength, kind="stable")[:count]


def value_range(values: Stage, *, signed: bool, percentile: float = GRID_PERCENTILE) -> tuple[float, float]:
    """One (low, high) for everything that is drawn with one colour map; values beyond it are drawn as its ends.

    signed: (-b, b) with b the percentile of the absolute values, so that zero is the middle of a diverging map.
    Otherwise from the (100 - percentile)th to the percentile of the values themselves, for a sequential map. Where more
    values are equal than the percentiles leave out, the extremes are taken instead; (v, v) for a constant v, (0, 0) if
    there is no finite value.
    """
    finite = np.asarray(values)[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 0.0
    if signed:
        high = _percentile_or_max(np.abs(finite), percentile)
        return -high, high
    low, high = (float(q) for q in np.percentile(finite, (100 - percentile, percentile)))
    return (low, high) if low < high else (float(finite.min()), float(finite.max()))


def _percentile_or_max(magnitudes: Stage, percentile: float) -> float:
    return float(np.percentile(magnitudes, percentile)) or float(magnitudes.max())


def _principal_axes(centred: Array, rounding: float) -> tuple[Array, Array]:
    """Up to three unit directions (k, C) of largest scatter and their shares of it (k,), from centred cells (C, N).

    The smaller of the two matrices with the same non-zero eigenvalues is decomposed: (C, C) over channels or (N, N)
    over cells (Turk and Pentland, Eigenfaces for Recognition, 1991).
    """
    over_channels = centred.shape[0] <= centred.shape[1]
    scatter, vectors = np.linalg.eigh(centred @ centred.T if over_channels else centred.T @ centred)  # ascending
    kept = np.flatnonzero(scatter > rounding)[::-1][:3]
    axes = vectors[:, kept].T if over_channels else (centred @ vectors[:, kept]).T
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    return _signed(axes), scatter[kept] / scatter.clip(min=0).sum()


def _signed(axes: Array) -> Array:
    """Each row of `axes` (k, C) or its negative: the one whose decisive loading is positive.

    No rule can be stable for every axis (turning v continuously into -v must flip somewhere). Taking the lowest index
    among nearly equal loadings moves the flip away from exact ties, which mirrored channels do produce, to a ratio of
    0.99, which nothing produces on purpose.
    """
    magnitudes = np.abs(axes)
    decisive = np.argmax(magnitudes >= (1 - SIGN_TIE) * magnitudes.max(axis=1, keepdims=True), axis=1)
    signs: Array = np.sign(np.take_along_axis(axes, decisive[:, None], axis=1))
    return axes * signs


def _stretched(scores: Array) -> Array:
    low, high = np.percentile(scores, PCA_PERCENTILES)
    if high - low < OUTLIER_SPREAD * np.ptp(scores):
        low, high = scores.min(), scores.max()
    stretched: Array = ((scores - low) / (high - low)).clip(0, 1)
    return stretched
