"""The optimisers of a run: which parameters each has, how they step, and when the learning rate rises and falls."""

import math

import pytest
import torch
from painted import MUON_RECIPE, write_recipe

from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.training.optimizers import KernelMuon, Optimizers, one_cycle
from poolformer.training.recipe import load_recipe


def test_the_learning_rate_is_one_cycle():
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    scheduler, steps, peak = one_cycle(optimizer, 0.1, 20, 0.25), 20, 0.1
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()

    def cosine(start, end, share):
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    top = 0.25 * steps - 1  # the step with the peak
    expected = [
        cosine(peak / 25, peak, i / top) if i <= top else cosine(peak, peak / 25e4, (i - top) / (steps - 1 - top))
        for i in range(steps)
    ]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.0), (1, 0.5), (5, 0.2), (2, 0.5), (4, 0.25)])
def test_runs_of_very_few_steps_have_a_schedule(steps, warmup):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    scheduler = one_cycle(optimizer, 0.1, steps, warmup)
    for _ in range(steps):
        assert 0 <= optimizer.param_groups[0]["lr"] <= 0.1
        optimizer.step()
        scheduler.step()


def test_only_matrices_and_kernels_decay(tmp_path):
    model = PoolFormerForImageClassification(PoolFormerConfig(depths=[1] * 4, hidden_sizes=[4] * 4, num_labels=3))
    optimizers = Optimizers(model, load_recipe(str(write_recipe(tmp_path))))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay = {
        names[id(p)]: group["weight_decay"] for group in optimizers.optimizers[0].param_groups for p in group["params"]
    }
    assert decay.keys() == set(names.values())
    for name, value in decay.items():
        is_matrix = name.endswith("weight") and "norm" not in name
        assert value == (0.05 if is_matrix else 0.0), name


def test_a_muon_step_moves_the_kernel_itself_by_an_orthogonal_matrix_of_the_gradient():
    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.randn(6, 4, 3, 3).to(memory_format=torch.channels_last))
    before, gradient = kernel.detach().clone(), torch.randn(6, 4, 3, 3)
    kernel.grad = gradient
    KernelMuon([kernel], lr=0.1, weight_decay=0.0).step()
    moved = (kernel.detach() - before).permute(0, 2, 3, 1).flatten(1)
    u, _, v = torch.linalg.svd(gradient.permute(0, 2, 3, 1).flatten(1), full_matrices=False)
    along = torch.diagonal(u.T @ moved @ v.T)
    # Newton and Schulz's iteration leaves singular values between about 0.7 and 1.2 instead of exactly 1.
    assert (along < -0.06).all()
    assert (along > -0.13).all()
    assert torch.linalg.matrix_norm(moved - u @ torch.diag(along) @ v) < 0.02


def test_muon_gets_the_kernels_and_adamw_the_rest(tmp_path):
    model = PoolFormerForImageClassification(PoolFormerConfig(depths=[1] * 4, hidden_sizes=[4] * 4, num_labels=3))
    model = model.to(memory_format=torch.channels_last)
    muon, adamw = Optimizers(model, load_recipe(str(write_recipe(tmp_path, MUON_RECIPE)))).optimizers
    kernels = [p for p in model.parameters() if p.ndim == 4]
    assert {p.data_ptr() for p in muon.param_groups[0]["params"]} == {p.data_ptr() for p in kernels}
    others = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert others == {id(p) for p in model.parameters()} - {id(p) for p in kernels}


def test_kernels_that_muon_could_not_move_are_refused():
    kernel = torch.nn.Parameter(torch.zeros(6, 4, 3, 3))
    with pytest.raises(ValueError, match="channels_last"):
        KernelMuon([kernel], lr=0.1, weight_decay=0.0)
