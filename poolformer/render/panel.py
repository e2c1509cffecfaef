"""The pictures of one stage's panel: energy over the input, principal components, the strongest channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from poolformer.render.atlas import channel_atlas
from poolformer.render.colormaps import DIVERGING, SEQUENTIAL, Picture, Values, quantise
from poolformer.render.enlarge import crisp_size_px, enlarge
from poolformer.render.overlay import Positions, overlay

DISPLAY_PX = 448  # edge of a panel's pictures: sharp in a panel of 290 CSS pixels on a screen of 1.5 pixels each
GRID_COLUMNS = 4
ENERGY_OPACITY = 0.65  # of the energy over the picture


@dataclass(frozen=True, eq=False)
class StagePanel:
    """uint8 pictures: `energy` and `pca` (H, W, 3), `channels` (H, W, 4) with transparent gaps; and their ranges."""

    energy: Picture
    pca: Picture
    channels: Picture
    energy_range: tuple[float, float]
    channel_range: tuple[float, float]


def stage_panel(
    picture: Picture,
    energy: Values,
    pca_rgb: Values,
    channels: Values,
    channel_indices: Sequence[int],
    energy_range: tuple[float, float],
    channel_range: tuple[float, float],
    centres: tuple[Positions, Positions],
) -> StagePanel:
    """One stage's panel from its numbers.

    `picture` is what the network saw, uint8 (H, W, 3); `energy` (h, w), `pca_rgb` (h, w, 3) in [0, 1] and `channels`
    (K, h, w), whose indices in the stage are `channel_indices`. Ranges are (low, high) in the activations' own unit.
    `centres` are where the cells lie in the picture, as `render.overlay` takes them.
    """
    large = enlarge(picture, crisp_size_px(max(picture.shape[:2]), DISPLAY_PX), smooth=True)
    return StagePanel(
        energy=overlay(large, energy, SEQUENTIAL[0], *energy_range, ENERGY_OPACITY, centres=centres),
        pca=enlarge(quantise(pca_rgb), DISPLAY_PX),
        channels=channel_atlas(
            channels,
            DIVERGING[0],
            *channel_range,
            columns=GRID_COLUMNS,
            cell_px=DISPLAY_PX // GRID_COLUMNS,
            labels=[str(index) for index in channel_indices],
        ),
        energy_range=energy_range,
        channel_range=channel_range,
    )
