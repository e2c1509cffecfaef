"""Class evidence against the logits of the whole network."""

import numpy as np
import pytest
import torch
from networks import randomise

from poolformer.inspection.attribution import class_evidence
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification

SMALL = {"depths": [1, 1, 0, 1], "hidden_sizes": [3, 4, 5, 6]}


def run(num_labels, seed=0):
    """A network, the logits and the last stage of one picture."""
    model = randomise(PoolFormerForImageClassification(PoolFormerConfig(**SMALL, num_labels=num_labels)), seed)
    picture = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        output = model(picture, output_hidden_states=True)
    return model, output.logits[0], output.hidden_states[-1]


@pytest.mark.parametrize("seed", range(3))
def test_the_channels_and_the_bias_add_up_to_the_logit(seed):
    model, logits, last_stage = run(7, seed)
    classes = [5, 0, 3]
    evidence = class_evidence(model, last_stage, classes)
    assert evidence.classes == (5, 0, 3)
    assert evidence.channels.shape == (3, 6)
    assert evidence.channels.dtype == np.float32
    assert evidence.logits == pytest.approx(logits[classes].tolist(), abs=1e-6)
    sums = evidence.channels.sum(axis=1) + evidence.biases
    np.testing.assert_allclose(sums, logits[classes], atol=1e-6)


def test_a_channel_adds_its_weight_times_its_mean():
    model, _, last_stage = run(4)
    with torch.no_grad():
        model.classifier.weight[:, 2] = 0
        before = class_evidence(model, last_stage, range(4)).channels
        model.classifier.weight[1, 2] = 10
        after = class_evidence(model, last_stage, range(4)).channels
        mean = model.norm(last_stage)[0, 2].mean().item()
    changed = after - before
    assert changed[1, 2] == pytest.approx(10 * mean, rel=1e-5)
    assert np.count_nonzero(changed) == 1


def test_a_model_without_labels_has_no_evidence():
    model, _, last_stage = run(0)
    evidence = class_evidence(model, last_stage, [])
    assert (evidence.classes, evidence.logits, evidence.biases) == ((), (), ())
    assert evidence.channels.shape == (0, 6)
