"""The curve of a training run: loss and accuracy over the epochs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from poolformer.render.colormaps import Picture

SIZE_IN = (8.0, 3.2)  # inches, width and height
DPI = 120
LINE_COLOUR, KEPT_COLOUR = "#1f6fb4", "#c2410c"  # both at least 4.5 : 1 on white


def draw_curves(train_loss: Sequence[float], top1_percent: Sequence[float], top1_of: str, kept_epoch: int) -> Picture:
    """Two plots side by side, uint8 (H, W, 3) on white: the training loss, and the top-1 accuracy on `top1_of`.

    Both sequences have one value an epoch, from epoch 1; values that are not finite leave a gap. A dashed line marks
    `kept_epoch`. No global state of matplotlib's is used, so that several threads may draw.
    """
    figure = Figure(figsize=SIZE_IN, dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw(left, train_loss, "training loss", kept_epoch)
    _draw(right, top1_percent, f"top-1 on {top1_of} pictures (%)", kept_epoch)
    right.set_ylim(0, 100)
    right.legend(frameon=False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels: Picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
    return pixels


def _draw(axes: Axes, values: Sequence[float], title: str, kept_epoch: int) -> None:
    axes.axvline(kept_epoch, color=KEPT_COLOUR, linestyle="--", label=f"kept: epoch {kept_epoch}")
    axes.plot(range(1, len(values) + 1), values, color=LINE_COLOUR, marker="o", markersize=3, clip_on=False)
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, len(values) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
