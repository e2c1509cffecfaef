"""The training loop: one cycle of AdamW, resumable at every epoch with the same result as an uninterrupted run."""

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
from poolformer.training.data import LabelledImages, augment, normalise
from poolformer.training.recipe import Recipe

STATE_NAME = "training.pt"
LOG_NAME = "log.csv"


@dataclass(frozen=True)
class EpochResult:
    """One line of the log: mean loss over the epoch, top-1 accuracy on the test split in percent, wall time."""

    epoch: int
    learning_rate: float
    train_loss: float
    test_top1: float
    seconds: float


def pick_device() -> torch.device:
    """CUDA where there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


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
    for images, targets in data.batches(250):
        x = normalise(images, processor).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = model(x).logits
        correct += int((logits.argmax(-1).cpu() == targets).sum())
    return 100 * correct / len(data)


class Trainer:
    """Trains one model by one recipe; `run` continues from `folder`/training.pt if it is there.

    Every epoch draws its order, augmentation and dropped paths from the recipe's seed and the epoch's number, so an
    interrupted run continues as if it had not been.

    Raises:
        WeightsError: the saved state belongs to another recipe.
    """

    def __init__(
        self,
        model: PoolFormerForImageClassification,
        recipe: Recipe,
        processor: PoolFormerImageProcessorPil,
        folder: Path,
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.processor, self.folder = recipe, processor, folder
        self.device, self.precision = device, precision
        self.optimizer = torch.optim.AdamW(_parameter_groups(model, recipe.weight_decay), lr=recipe.learning_rate)
        self.history: list[EpochResult] = []

    def run(self, train: LabelledImages, test: LabelledImages) -> list[EpochResult]:
        """Trains until the recipe's last epoch; saves state and log after each. Returns one result an epoch."""
        recipe = self.recipe
        batch_size = min(recipe.batch_size, len(train))
        steps = len(train) // batch_size  # The last, smaller batch is left out: another order meets it next epoch.
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.learning_rate, recipe.epochs * steps, pct_start=max(recipe.warmup_fraction, 1e-3)
        )
        self._restore(scheduler)
        for epoch in range(len(self.history), recipe.epochs):
            started = time.monotonic()
            loss = self._train_epoch(scheduler, train, epoch, batch_size, steps)
            top1 = accuracy(self.model, test, self.processor, self.precision)
            rate = float(scheduler.get_last_lr()[0])
            self.history.append(EpochResult(epoch + 1, rate, loss, top1, round(time.monotonic() - started, 1)))
            self._save(scheduler)
        return self.history

    def _train_epoch(
        self,
        scheduler: torch.optim.lr_scheduler.OneCycleLR,
        train: LabelledImages,
        epoch: int,
        batch_size: int,
        steps: int,
    ) -> float:
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
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.gradient_clip)
            self.optimizer.step()
            scheduler.step()
            total += loss.detach()
        return float(total) / steps

    def _save(self, scheduler: torch.optim.lr_scheduler.OneCycleLR) -> None:
        state = {
            "recipe": dataclasses.asdict(self.recipe),
            "history": [dataclasses.asdict(result) for result in self.history],
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
        }
        partial = self.folder / (STATE_NAME + ".partial")
        torch.save(state, partial)
        os.replace(partial, self.folder / STATE_NAME)
        with (self.folder / LOG_NAME).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [f.name for f in dataclasses.fields(EpochResult)])
            writer.writeheader()
            writer.writerows(state["history"])

    def _restore(self, scheduler: torch.optim.lr_scheduler.OneCycleLR) -> None:
        path = self.folder / STATE_NAME
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != dataclasses.asdict(self.recipe):
            raise WeightsError(
                f"{path} was left by a run with another recipe; continue with that one, or choose another --out."
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        self.history = [EpochResult(**result) for result in state["history"]]


def _parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay for matrices and kernels; none for vectors (norms, biases, layer scales), as is usual for transformers."""
    kernels = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
