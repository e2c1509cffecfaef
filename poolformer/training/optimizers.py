"""What changes the weights: AdamW, or Muon for the kernels and AdamW for the rest, on schedules of one cycle each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from poolformer.training.recipe import Recipe

HEAD_PREFIX = "classifier."


class KernelMuon(torch.optim.Muon):
    """Muon on matrices and on convolution kernels (C_out, C_in, k, k), each taken as the matrix (C_out, k * k * C_in).

    Muon makes every step an orthogonal matrix of the momentum's own row and column spaces (Keller Jordan et al., *Muon:
    An optimizer for hidden layers in neural networks*, 2024). torch's takes matrices only; these are views of the
    kernels, so that a step moves the kernels themselves. They have to lie in memory as channels_last.
    """

    def __init__(self, kernels: Iterable[torch.Tensor], lr: float, weight_decay: float) -> None:
        self.kernels = list(kernels)
        self.matrices = [torch.nn.Parameter(_as_matrix(kernel.detach())) for kernel in self.kernels]
        if any(m.data_ptr() != k.data_ptr() for m, k in zip(self.matrices, self.kernels, strict=True)):
            raise ValueError("Kernels for Muon have to lie in memory as channels_last; move the model there first.")
        super().__init__(self.matrices, lr=lr, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step by the gradients of the kernels."""
        for matrix, kernel in zip(self.matrices, self.kernels, strict=True):
            if kernel.grad is not None:
                matrix.grad = _as_matrix(kernel.grad)
        return super().step(closure)  # type: ignore[no-untyped-call]


class Optimizers:
    """All optimisers of a run, stepped together, each on its schedule; `start_cycle` comes before the first step."""

    def __init__(self, model: torch.nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        self.optimizers: list[torch.optim.Optimizer] = []
        by_adam = dict(model.named_parameters())
        if recipe.muon_learning_rate:
            kernels = [by_adam.pop(name) for name in list(by_adam) if _is_dense(name, by_adam[name])]
            self.optimizers.append(KernelMuon(kernels, recipe.muon_learning_rate, recipe.muon_weight_decay))
        groups = _parameter_groups(by_adam.values(), recipe.weight_decay)
        self.optimizers.append(torch.optim.AdamW(groups, lr=recipe.learning_rate))
        self.schedulers: list[torch.optim.lr_scheduler.OneCycleLR] = []

    @property
    def learning_rate(self) -> float:
        """AdamW's, as it is now."""
        return float(self.schedulers[-1].get_last_lr()[0])

    def start_cycle(self, epoch: int, steps: int) -> None:
        """Begins the cycle that `epoch` belongs to, from its first step; `steps` is those of one epoch."""
        first, end, share = self.recipe.cycle_of(epoch)
        peaks = (self.recipe.muon_learning_rate, self.recipe.learning_rate)[-len(self.optimizers) :]
        self.schedulers = [
            one_cycle(optimizer, share * peak, (end - first) * steps, self.recipe.warmup_fraction)
            for optimizer, peak in zip(self.optimizers, peaks, strict=True)
        ]

    def step(self) -> None:
        """One step of every optimiser and of its schedule."""
        for optimizer, scheduler in zip(self.optimizers, self.schedulers, strict=True):
            optimizer.step()
            scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """All that a later run continues from."""
        return {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from what `state_dict` gave, in the cycle that was started."""
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for scheduler, saved in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(saved)


def one_cycle(
    optimizer: torch.optim.Optimizer, peak: float, steps: int, warmup_fraction: float
) -> torch.optim.lr_scheduler.OneCycleLR:
    """The learning rate up to `peak` in the first `warmup_fraction` of the steps, then down to near 0, as cosines.

    AdamW's first momentum goes the other way, as the one-cycle policy has it; Muon's stays as it is.
    """
    warmup = max(warmup_fraction, 1e-3)
    if warmup * steps == 1:  # A rise of exactly one step has no length, and torch would divide by it.
        warmup *= 1.001
    cycled = isinstance(optimizer, torch.optim.AdamW)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, steps, pct_start=warmup, cycle_momentum=cycled)


def _is_dense(name: str, parameter: torch.Tensor) -> bool:
    """Whether it is a matrix or kernel inside the stages: not of the classifier, nor one filter for each channel."""
    return parameter.ndim > 1 and parameter.shape[1] > 1 and not name.startswith(HEAD_PREFIX)


def _as_matrix(kernel: torch.Tensor) -> torch.Tensor:
    if kernel.ndim == 2:
        return kernel
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    return kernel.permute(0, 2, 3, 1).view(len(kernel), -1)  # (C_out, C_in, k, k) -> (C_out, k * k * C_in)


def _parameter_groups(parameters: Iterable[torch.Tensor], weight_decay: float) -> list[dict[str, Any]]:
    """Decay for matrices and kernels; none for vectors (norms, biases, layer scales), as is usual for transformers."""
    parameters = list(parameters)
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
