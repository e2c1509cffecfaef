"""What is drawn of one stage: its energy, its principal components and its strongest channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poolformer.inspection.maps import PcaMap, energy, pca_rgb, strongest_channels
from poolformer.inspection.receptive_field import StageGeometry


@dataclass(frozen=True, eq=False)
class StageInspection:
    """What is shown of one stage: its geometry, its energy (H, W), its components, and its strongest channels.

    `channels` is float32 (K, H, W), strongest first; `channel_indices` says which channels of the stage they are.
    """

    geometry: StageGeometry
    energy: npt.NDArray[np.float32]
    pca: PcaMap
    channels: npt.NDArray[np.float32]
    channel_indices: tuple[int, ...]


def inspect_stage(geometry: StageGeometry, activations: npt.NDArray[np.float32]) -> StageInspection:
    """The inspection of a stage, float32 (C, H, W), that is laid out as `geometry` says."""
    strongest = strongest_channels(activations)
    return StageInspection(
        geometry=geometry,
        energy=energy(activations),
        pca=pca_rgb(activations),
        channels=activations[strongest],
        channel_indices=tuple(strongest.tolist()),
    )
