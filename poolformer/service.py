"""One object behind every surface: the page, the named API and the command line ask it, and it asks the network.

It holds the loaded models within a budget of bytes and runs one forward pass at a time, each on all cores, for up to a
few pictures together. It keeps nothing of any caller. What needs torch is imported with the first picture, or by
`warm_up`: a page can be served long before.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from poolformer.errors import ConfigError, UnknownVariantError, WeightsError
from poolformer.weights.availability import Availability, availability
from poolformer.weights.variants import BUNDLED_NAME, VARIANT_NAMES, Variant, folder_variant, variant

if TYPE_CHECKING:
    from poolformer.inference.engine import Answer, Engine
    from poolformer.inference.loading import ReadyVariant
    from poolformer.inspection.attribution import ClassEvidence
    from poolformer.inspection.pack import Pack
    from poolformer.inspection.receptive_field import StageGeometry
    from poolformer.inspection.stages import StageInspection
    from poolformer.render.colormaps import Picture
    from poolformer.render.panel import StagePanel

TOP_COUNT = 5
CACHE_BUDGET_BYTES = 1 << 30  # all six variants take 0.84 GB in float32, packed: they stay loaded
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

    batch_size: how many pictures went through the network in that pass.
    notes: a sentence for each thing about the picture that a person would not expect; see `decode_with_notes`.
    """

    variant: str
    predictions: tuple[Prediction, ...]
    forward_ms: float
    batch_size: int = 1
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
        from poolformer.inspection.pack import Pack, quantise

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
    used first, so that their weights take no more than `cache_budget_bytes`; a single one may take more. `device`,
    `dtype` and `compiled` are those of `inference.device.choose_arithmetic`.

    Methods that take `cancelled` raise CancelledError soon after it has been set from another thread.

    Raises:
        ConfigError: the own checkpoint has the name of another row, or its config cannot be used; there is no such
            device or number type.
        WeightsError: the own checkpoint cannot be read.
    """

    def __init__(
        self,
        cache_budget_bytes: int = CACHE_BUDGET_BYTES,
        cache_dir: Path | None = None,
        endpoint: str | None = None,
        own_checkpoint: Path | None = None,
        *,
        device: str | None = None,
        dtype: str = "float32",
        compiled: bool = False,
    ) -> None:
        if own_checkpoint is not None and not own_checkpoint.is_dir():
            raise WeightsError(f"There is no folder {own_checkpoint}; give the folder of a checkpoint.")
        self._own = None if own_checkpoint is None else folder_variant(own_checkpoint.resolve())
        if self._own and self._own.name in VARIANT_NAMES:
            raise ConfigError(f"The folder {self._own.name} has the name of a variant; rename it.")
        self._cache_budget_bytes, self._cache_dir, self._endpoint = cache_budget_bytes, cache_dir, endpoint
        self._arithmetic = (device, dtype, compiled)
        self._started: Engine | None = None
        self._starting = threading.Lock()
        if self._arithmetic != (None, "float32", False):
            self._engine()  # What was asked for may not be there: better said now than at the first picture.

    def _engine(self) -> Engine:
        """The part of the service that needs torch, made once."""
        with self._starting:
            if self._started is None:
                from poolformer.inference.device import choose_arithmetic
                from poolformer.inference.engine import Engine

                self._started = Engine(
                    self._cache_budget_bytes,
                    self._cache_dir,
                    self._endpoint,
                    {self._own.name: self._own.folder} if self._own and self._own.folder else {},
                    choose_arithmetic(*self._arithmetic),
                )
            return self._started

    def warm_up(self) -> None:
        """Imports torch and loads the default variant, so that the first picture need not wait for them.

        Raises:
            WeightsError: the default variant cannot be read.
        """
        self.prepare(self.default_variant())

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

    def prepare(self, name: str, cancelled: Event | None = None) -> ReadyVariant:
        """The variant, ready to run: from memory, else from the disk, else fetched.

        Only names of the table are taken, so that a name from a stranger never opens a folder.

        Raises:
            UnknownVariantError: no such row in the table.
            WeightsError: it cannot be fetched or read.
        """
        self._check_name(name)
        return self._engine().loaded.get(name, cancelled)

    def _check_name(self, name: str) -> None:
        if name not in self.names:
            raise UnknownVariantError(f"There is no variant {name!r}; choose one of {', '.join(self.names)}.")

    def classify(self, source: str | Path | bytes, name: str, cancelled: Event | None = None) -> Classification:
        """The five most probable labels of the picture in a file, or of its bytes.

        Raises:
            ImageError: no picture that this project accepts.
            UnknownVariantError, WeightsError: as `prepare`.
        """
        return _classification(self._answer(source, name, cancelled))

    def run(self, source: str | Path | bytes, name: str, cancelled: Event | None = None) -> Run:
        """As `classify`, with all that this one forward pass left in the stages.

        Raises:
            ImageError, UnknownVariantError: as `classify`.
            WeightsError: as `classify`; or an activation is not a finite number.
        """
        from poolformer.inspection.attribution import class_evidence
        from poolformer.inspection.receptive_field import stage_geometries

        answer = self._answer(source, name, cancelled)
        network, stages = answer.variant.network, answer.stages()
        return Run(
            classification=_classification(answer),
            picture=answer.view,
            stages=stages,
            geometries=stage_geometries(network.config, *answer.view.shape[:2]),
            pool_size=network.config.pool_size,
            evidence=class_evidence(network, answer.forward.hidden_states[-1][None], answer.indices),
        )

    def inspect(self, source: str | Path | bytes, name: str, cancelled: Event | None = None) -> Inspection:
        """As `run`, with what is drawn of the stages. Raises as `run`."""
        from poolformer.inspection.stages import inspect_stage

        run = self.run(source, name, cancelled)
        return Inspection(run.classification, run.picture, tuple(map(inspect_stage, run.geometries, run.stages)))

    def export(self, source: str | Path | bytes, name: str, file_format: str, cancelled: Event | None = None) -> bytes:
        """The raw float32 activations of all stages as a file, "npz" or "safetensors"; see `inspection.export`.

        Raises:
            PoolFormerError: another format; otherwise as `run`.
        """
        from poolformer.inspection.export import encode_stages

        return encode_stages(self.run(source, name, cancelled).stages, name, file_format)

    def _answer(self, source: str | Path | bytes, name: str, cancelled: Event | None) -> Answer:
        self._check_name(name)
        return self._engine().answer(source, name, TOP_COUNT, cancelled)

    def panels(self, inspection: Inspection) -> list[StagePanel]:
        """The pictures of all stages, each kind of map with a range of its own in every stage."""
        from poolformer.inspection.maps import value_range
        from poolformer.inspection.receptive_field import cell_centres
        from poolformer.render.panel import stage_panel

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


def _classification(answer: Answer) -> Classification:
    labels = answer.variant.labels
    return Classification(
        variant=answer.variant.name,
        predictions=tuple(
            Prediction(labels[i], score, i) for i, score in zip(answer.indices, answer.scores, strict=True)
        ),
        forward_ms=answer.forward.forward_ms,
        batch_size=answer.forward.batch_size,
        notes=answer.notes,
    )
