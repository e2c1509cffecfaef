"""One object behind every surface: the page, the named API and the command line ask it, and it asks the network.

It holds the loaded models within a budget of bytes and runs one forward pass at a time, each on all cores. It keeps
nothing of any caller: whoever wants to draw the same activations again holds on to the Inspection.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from poolformer.errors import ConfigError, UnknownVariantError
from poolformer.images.decode import decode_image
from poolformer.inspection.maps import PcaMap, energy, pca_rgb, strongest_channels, value_range
from poolformer.inspection.receptive_field import StageGeometry, cell_centres, stage_geometries
from poolformer.render.colormaps import Picture
from poolformer.render.panel import PanelStyle, StagePanel, stage_panel
from poolformer.weights.checkpoint import Availability, Checkpoint, availability, load_checkpoint
from poolformer.weights.variants import BUNDLED_NAME, VARIANT_NAMES, Variant, folder_variant, variant

TOP_COUNT = 5
CACHE_BUDGET_BYTES = 1 << 30  # all five variants are 0.78 GB in float32; together with tiny they stay loaded
PREFERRED_NAME = "s12"  # the smallest ImageNet model: shown first once it has been fetched


@dataclass(frozen=True)
class Prediction:
    """A label of the checkpoint and its softmax probability in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True)
class Classification:
    """The most probable labels, best first, and the milliseconds that the forward pass took."""

    variant: str
    predictions: tuple[Prediction, ...]
    forward_ms: float


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


@dataclass(frozen=True, eq=False)
class Inspection:
    """One picture through one variant: the labels, what the network saw (H, W, 3) uint8, and its stages."""

    classification: Classification
    picture: Picture
    stages: tuple[StageInspection, ...]


@dataclass(frozen=True)
class VariantRow:
    """One row of the variant table, with what it takes to use it here and now."""

    variant: Variant
    availability: Availability


class PoolFormerService:
    """Classifies and inspects pictures with the variants of the table; safe to call from many threads.

    `cache_dir` and `endpoint` default to what huggingface_hub would use. `own_checkpoint` is a folder whose checkpoint
    becomes one more row, the first and the default, under the folder's name. Loaded models are dropped, least recently
    used first, while their parameters take more than `cache_budget_bytes`; the newest always stays.

    Raises:
        ConfigError: the own checkpoint has the name of another row, or its config cannot be used.
        WeightsError: the own checkpoint cannot be read.
    """

    def __init__(
        self,
        cache_budget_bytes: int = CACHE_BUDGET_BYTES,
        cache_dir: Path | None = None,
        endpoint: str | None = None,
        own_checkpoint: Path | None = None,
    ) -> None:
        self._own = None if own_checkpoint is None else folder_variant(own_checkpoint.resolve())
        if self._own and self._own.name in VARIANT_NAMES:
            raise ConfigError(f"The folder {self._own.name} has the name of a variant; rename it.")
        self._cache_budget_bytes, self._cache_dir, self._endpoint = cache_budget_bytes, cache_dir, endpoint
        self._loaded: OrderedDict[str, Checkpoint] = OrderedDict()
        self._loaded_lock = threading.Lock()
        self._loading_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._forward_lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all rows, in the order of the table."""
        return ((self._own.name,) if self._own else ()) + VARIANT_NAMES

    def variant(self, name: str) -> Variant:
        """The facts of a row.

        Raises:
            UnknownVariantError: no such row in the table.
        """
        return self._own if self._own and name == self._own.name else variant(name)

    def variants(self) -> list[VariantRow]:
        """The variant table, in the order of `names`, with what is bundled, cached or to be fetched now. No network."""
        return [VariantRow(self.variant(name), self._availability(name)) for name in self.names]

    def _availability(self, name: str) -> Availability:
        if self._own and name == self._own.name:
            return Availability("bundled")
        return availability(name, cache_dir=self._cache_dir)

    def default_variant(self) -> str:
        """The own checkpoint if there is one; else s12 if it is in the cache, else tiny."""
        if self._own:
            return self._own.name
        cached = availability(PREFERRED_NAME, cache_dir=self._cache_dir).state == "cached"
        return PREFERRED_NAME if cached else BUNDLED_NAME

    def checkpoint(self, name: str) -> Checkpoint:
        """The ready checkpoint of a variant: from memory, else from the disk, else fetched.

        Only names of the table are taken, so that a name from a stranger never opens a folder.

        Raises:
            UnknownVariantError: no such row in the table.
            WeightsError: it cannot be fetched or read.
        """
        if name not in self.names:
            raise UnknownVariantError(f"There is no variant {name!r}; choose one of {', '.join(self.names)}.")
        with self._loaded_lock:
            loading_lock = self._loading_locks[name]
        with loading_lock:  # One load a variant; others go on meanwhile.
            with self._loaded_lock:
                if name in self._loaded:
                    self._loaded.move_to_end(name)
                    return self._loaded[name]
            folder = self.variant(name).folder
            loaded = load_checkpoint(folder or name, cache_dir=self._cache_dir, endpoint=self._endpoint)
            with self._loaded_lock:
                self._loaded[name] = loaded
                while len(self._loaded) > 1 and self._loaded_bytes() > self._cache_budget_bytes:
                    self._loaded.popitem(last=False)
            return loaded

    def _loaded_bytes(self) -> int:
        return sum(p.nbytes for loaded in self._loaded.values() for p in loaded.model.parameters())

    def classify(self, source: str | Path | bytes, name: str) -> Classification:
        """The five most probable labels of the picture in a file, or of its bytes.

        Raises:
            ImageError: no picture that this project accepts.
            UnknownVariantError, WeightsError: as `checkpoint`.
        """
        return self._run(source, name, stages=False).classification

    def inspect(self, source: str | Path | bytes, name: str) -> Inspection:
        """As `classify`, with what is shown of the four stages. Raises as `classify`."""
        return self._run(source, name, stages=True)

    def _run(self, source: str | Path | bytes, name: str, stages: bool) -> Inspection:
        image = decode_image(source)  # Before the checkpoint: a bad picture should not wait for a fetch.
        checkpoint = self.checkpoint(name)
        view = checkpoint.processor.crop(image)
        pixel_values = checkpoint.processor(
            view, do_resize=False, do_center_crop=False, return_tensors="pt"
        ).pixel_values
        with self._forward_lock, torch.inference_mode():
            started = time.perf_counter()
            output = checkpoint.model(pixel_values, output_hidden_states=stages)
            forward_ms = 1000 * (time.perf_counter() - started)
        classification = Classification(name, _top(output.logits[0], checkpoint.labels), forward_ms)
        picture = np.asarray(view)
        if not stages:
            return Inspection(classification, picture, ())
        geometries = stage_geometries(checkpoint.model.config, *picture.shape[:2])
        hidden_states = [state[0].numpy() for state in output.hidden_states]  # (1, C, H, W) -> (C, H, W)
        return Inspection(classification, picture, tuple(map(_inspect_stage, geometries, hidden_states)))

    def panels(self, inspection: Inspection, style: PanelStyle) -> list[StagePanel]:
        """The pictures of all stages in one style, from numbers that are there: the network does not run."""
        stages, (height_px, width_px) = inspection.stages, inspection.picture.shape[:2]
        energy_ranges = [(0.0, float(stage.energy.max())) for stage in stages]
        channel_ranges = [value_range(stage.channels, signed=True) for stage in stages]
        if style.shared_range:
            energy_ranges = [max(energy_ranges, key=_high)] * len(stages)
            channel_ranges = [max(channel_ranges, key=_high)] * len(stages)
        return [
            stage_panel(
                inspection.picture,
                stage.energy,
                stage.pca.rgb,
                stage.channels,
                stage.channel_indices,
                energy_range,
                channel_range,
                style,
                cell_centres(stage.geometry, height_px, width_px),
            )
            for stage, energy_range, channel_range in zip(stages, energy_ranges, channel_ranges, strict=True)
        ]


def _high(bounds: tuple[float, float]) -> float:
    return bounds[1]


def _top(logits: torch.Tensor, labels: tuple[str, ...]) -> tuple[Prediction, ...]:
    """The TOP_COUNT most probable of logits (num_labels,); fewer if there are fewer labels."""
    scores, indices = logits.softmax(-1).topk(min(TOP_COUNT, len(labels)))
    return tuple(Prediction(labels[i], score) for i, score in zip(indices.tolist(), scores.tolist(), strict=True))


def _inspect_stage(geometry: StageGeometry, activations: npt.NDArray[np.float32]) -> StageInspection:
    strongest = strongest_channels(activations)
    return StageInspection(
        geometry=geometry,
        energy=energy(activations),
        pca=pca_rgb(activations),
        channels=activations[strongest],
        channel_indices=tuple(strongest.tolist()),
    )
