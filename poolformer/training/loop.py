"""The training loop, resumable at every epoch with the same result as an uninterrupted run."""

from __future__ import annotations

import csv
import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm

from poolformer.errors import WeightsError
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.nn import PoolFormerForImageClassification
from poolformer.training.data import LabelledImages, Splits, augment, normalise
from poolformer.training.optimizers import Optimizers
from poolformer.training.recipe import Recipe

STATE_NAME = "training.pt"
LOG_NAME = "log.csv"
# Pictures of one forward pass without gradients, in pixels together: the widest maps of s12 then take some 100 MB.
EVALUATION_PIXELS, EVALUATION_PICTURES = 2**20, 250


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One line of the log: mean loss over the epoch, top-1 accuracy in percent, wall time.

    The accuracy is on the validation pictures where some were set aside, and then the test split is not touched before
    the end; else it is on the test split, and nothing is chosen by it.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    validation_top1: float | None = None
    test_top1: float | None = None
    seconds: float

    @property
    def top1(self) -> float:
        """Whichever of the two accuracies was measured, in percent."""
        return (self.test_top1 if self.validation_top1 is None else self.validation_top1) or 0.0


@torch.inference_mode()
def accuracy(
    model: PoolFormerForImageClassification,
    data: LabelledImages,
    processor: PoolFormerImageProcessorPil,
    precision: torch.dtype = torch.float32,
) -> float:
    """Top-1 accuracy in percent, with the forward pass in `precision` (autocast unless float32)."""
    device, correct = next(model.parameters()).device, 0
    model.eval()
    batch_size = max(1, min(EVALUATION_PICTURES, EVALUATION_PIXELS // data.images[0, 0].numel()))
    for images, targets in data.batches(batch_size):
        x = normalise(images, processor).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = model(x).logits
        correct += int((logits.argmax(-1).cpu() == targets).sum())
    return 100 * correct / len(data)


class Trainer:
    """Trains one model by one recipe; `run` continues from `folder`/training.pt if it is there.

    Every epoch draws its order, augmentation and dropped paths from the recipe's seed and the epoch's number, so an
    interrupted run continues as if it had not been. `circumstances` is what else has to be the same for that, by name.

    Raises:
        WeightsError: the saved state belongs to another recipe or to other circumstances.
    """

    def __init__(
        self,
        model: PoolFormerForImageClassification,
        recipe: Recipe,
        processor: PoolFormerImageProcessorPil,
        folder: Path,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        circumstances: dict[str, Any] | None = None,
    ) -> None:
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.processor, self.folder = recipe, processor, folder
        self.device, self.precision, self.circumstances = device, precision, circumstances or {}
        self.optimizers = Optimizers(self.model, recipe)
        self.history: list[EpochResult] = []
        self.best: dict[str, torch.Tensor] = {}  # the weights of the kept epoch, where one is chosen

    @property
    def kept(self) -> EpochResult:
        """The epoch whose weights count: the best on validation pictures, of equals the latest; without those the last.

        Of equals the latest, because its learning rate was the lowest.
        """
        if not self.recipe.validation_fraction:
            return self.history[-1]
        return max(self.history, key=lambda result: (result.top1, result.epoch))

    def run(self, splits: Splits) -> list[EpochResult]:
        """Trains until the recipe's last epoch; saves state and log after each. Returns one result an epoch.

        The model then has the weights of the kept epoch.
        """
        recipe, train = self.recipe, splits.train
        batch_size = min(recipe.batch_size, len(train))
        steps = len(train) // batch_size  # The last, smaller batch is left out: another order meets it next epoch.
        state = self._read_state()
        # A state is saved at the end of an epoch, so its schedule is that of the epoch before the next.
        self.optimizers.start_cycle(0 if state is None else len(state["history"]) - 1, steps)
        if state is not None:
            self._restore(state)
        for epoch in range(len(self.history), recipe.epochs):
            started = time.monotonic()
            if epoch in recipe.restarts:
                self.optimizers.start_cycle(epoch, steps)
            loss = self._train_epoch(train, epoch, batch_size, steps)
            top1 = self._measure(splits)
            rate, seconds = self.optimizers.learning_rate, round(time.monotonic() - started, 1)
            self.history.append(
                EpochResult(epoch=epoch + 1, learning_rate=rate, train_loss=loss, **top1, seconds=seconds)
            )
            if splits.validation is not None and self.kept is self.history[-1]:
                self.best = {key: value.detach().clone() for key, value in self.model.state_dict().items()}
            self._save()
        if self.best:
            self.model.load_state_dict(self.best)
        return self.history

    def _measure(self, splits: Splits) -> dict[str, float]:
        name, data = ("test_top1", splits.test) if splits.validation is None else ("validation_top1", splits.validation)
        return {name: accuracy(self.model, data, self.processor, self.precision)}

    def _train_epoch(self, train: LabelledImages, epoch: int, batch_size: int, steps: int) -> float:
        recipe, total = self.recipe, torch.zeros((), device=self.device)
        torch.manual_seed(recipe.seed + epoch)
        generator = torch.Generator().manual_seed(recipe.seed + epoch)
        order = torch.randperm(len(train), generator=generator)[: steps * batch_size]
        self.model.train()
        bar = tqdm(train.batches(batch_size, order), total=steps, desc=f"epoch {epoch + 1}/{recipe.epochs}")
        for images, targets in bar:
            x = augment(normalise(images, self.processor), recipe.shift_px, recipe.cutout_px, generator)
            x = x.to(self.device, memory_format=torch.channels_last)
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                logits = self.model(x).logits
            loss = functional.cross_entropy(
                logits.float(), targets.to(self.device), label_smoothing=recipe.label_smoothing
            )
            self.model.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.gradient_clip)
            self.optimizers.step()
            total += loss.detach()
        return float(total) / steps

    def _save(self) -> None:
        state = {
            "recipe": dataclasses.asdict(self.recipe),
            "circumstances": self.circumstances,
            "history": [dataclasses.asdict(result) for result in self.history],
            "model": self.model.state_dict(),
            **self.optimizers.state_dict(),
            "best": self.best,
        }
        partial = self.folder / (STATE_NAME + ".partial")
        torch.save(state, partial)
        os.replace(partial, self.folder / STATE_NAME)
        with (self.folder / LOG_NAME).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [f.name for f in dataclasses.fields(EpochResult)])
            writer.writeheader()
            writer.writerows(state["history"])

    def _read_state(self) -> dict[str, Any] | None:
        path = self.folder / STATE_NAME
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        saved = state.get("circumstances", {})
        changed = [name for name, value in saved.items() if value != self.circumstances.get(name)]
        if not self.recipe.agrees_with(state["recipe"]):
            changed.insert(0, "recipe")
        if changed:
            raise WeightsError(
                f"{path} was left by a run with another {changed[0]}; continue with that one, or choose another --out."
            )
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizers.load_state_dict(state)
        self.history = [EpochResult(**result) for result in state["history"]]
        self.best = state.get("best", {})
