"""One object behind every surface: the page, the named API and the command line ask it, and it asks the network.

It holds the loaded models within a budget of bytes and runs one forward pass at a time, each on all cores. It keeps
nothing of any caller.
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

from poolformer.errors import ConfigError, UnknownVariantError, WeightsError
from poolformer.images.decode import decode_with_notes
from poolformer.inspection.attribution import ClassEvidence, class_evidence
from poolformer.inspection.export import encode_stages
from poolformer.inspection.maps import value_range
from poolformer.inspection.pack import Pack, quantise
from poolformer.inspection.receptive_field import StageGeometry, cell_centres, stage_geometries
from poolformer.inspection.stages import StageInspection, inspect_stage
from poolformer.render.colormaps import Picture
from poolformer.render.panel import StagePanel, stage_panel
from poolformer.weights.checkpoint import Availability, Checkpoint, availability, load_checkpoint
from poolformer.weights.variants import BUNDLED_NAME, VARIANT_NAMES, Variant, folder_variant, variant

TOP_COUNT = 5
CACHE_BUDGET_BYTES = 1 << 30  # all five variants are 0.78 GB in float32; together with tiny they stay loaded
PREFERRED_NAME = "s12"  # the smallest ImageNet model: shown first once it has been fetched


@dataclass(frozen=True)
class Prediction:
    """A label of the checkpoint, its softmax probability in [0, 1], and its row of the classifier."""

    label: str
    score: float
    index: int


@dataclass(frozen=True)
class Classification:
    """The most probable labels, best first, and the milliseconds that the forward pass took.

    notes: a sentence for each thing about the picture that a person would not expect; see `decode_with_notes`.
    """

    variant: str
    predictions: tuple[Prediction, ...]
    forward_ms: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Run:
    """One picture through one variant, whole.

    picture: what the network saw, uint8 (H, W, 3).
    stages: the hidden_states, one float32 (C, H, W) a stage; all finite.
    geometries: where the cells of each stage lie in the picture.
    pool_size: edge of the window that the blocks pool over, in cells.
    evidence: where the logits of the predictions come from, in their order.
    """

    classification: Classification
    picture: Picture
    stages: tuple[npt.NDArray[np.float32], ...]
    geometries: tuple[StageGeometry, ...]
    pool_size: int
    evidence: ClassEvidence

    def pack(self) -> Pack:
        """The run in a form that is small enough to send; see `inspection.pack` for what it loses."""
        stages = tuple(quantise(stage) for stage in self.stages)
        return Pack(self.classification.variant, stages, self.evidence.channels, self.picture)


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
    used first, while their weights take more than `cache_budget_bytes`; the newest always stays.

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
        return sum(t.nbytes for loaded in self._loaded.values() for t in loaded.model.state_dict().values())

    def classify(self, source: str | Path | bytes, name: str) -> Classification:
        """The five most probable labels of the picture in a file, or of its bytes.

        Raises:
            ImageError: no picture that this project accepts.
            UnknownVariantError, WeightsError: as `checkpoint`.
        """
        return self._forward(source, name, stages=False)[0]

    def run(self, source: str | Path | bytes, name: str) -> Run:
        """As `classify`, with all that this one forward pass left in the stages.

        Raises:
            ImageError, UnknownVariantError: as `classify`.
            WeightsError: as `classify`; or an activation is not a finite number.
        """
        classification, picture, checkpoint, hidden_states = self._forward(source, name, stages=True)
        for number, state in enumerate(hidden_states, start=1):
            if not state.isfinite().all():
                raise WeightsError(
                    f"In stage {number} of {name} are activations that are no finite numbers, so nothing can be shown: "
                    "its weights are damaged. Choose another variant."
                )
        config = checkpoint.model.config
        classes = [prediction.index for prediction in classification.predictions]
        return Run(
            classification=classification,
            picture=picture,
            stages=tuple(state[0].numpy() for state in hidden_states),  # (1, C, H, W) -> (C, H, W)
            geometries=stage_geometries(config, *picture.shape[:2]),
            pool_size=config.pool_size,
            evidence=class_evidence(checkpoint.model, hidden_states[-1], classes),
        )

    def inspect(self, source: str | Path | bytes, name: str) -> Inspection:
        """As `run`, with what is drawn of the stages. Raises as `run`."""
        run = self.run(source, name)
        return Inspection(run.classification, run.picture, tuple(map(inspect_stage, run.geometries, run.stages)))

    def export(self, source: str | Path | bytes, name: str, file_format: str) -> bytes:
        """The raw float32 activations of all stages as a file, "npz" or "safetensors"; see `inspection.export`.

        Raises:
            PoolFormerError: another format; otherwise as `run`.
        """
        return encode_stages(self.run(source, name).stages, name, file_format)

    def _forward(
        self, source: str | Path | bytes, name: str, stages: bool
    ) -> tuple[Classification, Picture, Checkpoint, tuple[torch.Tensor, ...]]:
        decoded = decode_with_notes(source)  # Before the checkpoint: a bad picture should not wait for a fetch.
        checkpoint = self.checkpoint(name)
        view = checkpoint.processor.crop(decoded.image)
        pixel_values = checkpoint.processor(
            view, do_resize=False, do_center_crop=False, return_tensors="pt"
        ).pixel_values
        with self._forward_lock, torch.inference_mode():
            started = time.perf_counter()
            output = checkpoint.model(pixel_values, output_hidden_states=stages)
            forward_ms = 1000 * (time.perf_counter() - started)
        classification = Classification(name, _top(output.logits[0], checkpoint.labels), forward_ms, decoded.notes)
        return classification, np.asarray(view), checkpoint, output.hidden_states or ()

    def panels(self, inspection: Inspection) -> list[StagePanel]:
        """The pictures of all stages, each kind of map with a range of its own in every stage."""
        height_px, width_px = inspection.picture.shape[:2]
        return [
            stage_panel(
                inspection.picture,
                stage.energy,
                stage.pca.rgb,
                stage.channels,
                stage.channel_indices,
                energy_range=(0.0, float(stage.energy.max())),
                channel_range=value_range(stage.channels, signed=True),
                centres=cell_centres(stage.geometry, height_px, width_px),
            )
            for stage in inspection.stages
        ]


def _top(logits: torch.Tensor, labels: tuple[str, ...]) -> tuple[Prediction, ...]:
    """The TOP_COUNT most probable of logits (num_labels,); fewer if there are fewer labels."""
    scores, indices = logits.softmax(-1).topk(min(TOP_COUNT, len(labels)))
    return tuple(Prediction(labels[i], score, i) for i, score in zip(indices.tolist(), scores.tolist(), strict=True))
