"""Random configs, weights and pictures: `transformers` computes the same outputs, losses and gradients.

The seed of each case is in the test's name: `pytest tests/test_oracle.py -k "[17]"` repeats one.
"""

import pytest
import torch
import transformers
from networks import random_fields, randomise

from poolformer import PoolFormerConfig, PoolFormerForImageClassification

TOLERANCE = 1e-4


def build_pair(fields, seed):
    theirs = transformers.PoolFormerForImageClassification(transformers.PoolFormerConfig(**fields))
    randomise(theirs, seed)
    ours = PoolFormerForImageClassification(PoolFormerConfig(**fields)).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    # Dropped paths are drawn differently, so only a network without them is compared as in training.
    if not fields["drop_path_rate"]:
        ours.train()
        theirs.train()
    return ours, theirs


def random_labels(fields, B):
    """Labels of the type that the problem asks for; None where there is no classifier, and so no loss."""
    num_labels, problem = fields["num_labels"], fields["problem_type"]
    if num_labels == 0:
        return None
    if problem is None and num_labels > 1:
        problem = ("single_label_classification", "multi_label_classification")[int(torch.randint(2, ()))]
    if problem == "single_label_classification":
        return torch.randint(num_labels, (B,)).index_fill(0, torch.tensor([0]), -100 if torch.rand(()) < 0.3 else 0)
    if problem == "multi_label_classification":
        return torch.rand(B, num_labels).round()
    return torch.randn(B, num_labels) if num_labels > 1 or torch.rand(()) < 0.5 else torch.randn(B)


def run(model, pixel_values, labels, weighting):
    """Outputs, and the gradients of the loss and of a weighted sum of the logits."""
    pixel_values = pixel_values.clone().requires_grad_()
    output = model(pixel_values, labels=labels, output_hidden_states=True)
    objective = (output.logits * weighting).sum()
    if output.loss is not None:
        objective = objective + output.loss
    objective.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return output, {"pixel_values": pixel_values.grad, **gradients}


def assert_close(mine, reference, what):
    assert mine.shape == reference.shape, what
    assert mine.dtype == reference.dtype, what
    assert (mine - reference).abs().max() < TOLERANCE, what


@pytest.mark.parametrize("seed", range(220))
def test_outputs_losses_and_gradients_are_those_of_transformers(seed):
    fields = random_fields(seed)
    height, width = fields.pop("picture")
    ours, theirs = build_pair(fields, seed)
    torch.manual_seed(seed)
    B = 2
    pixel_values = torch.randn(B, fields["num_channels"], height, width)
    labels = random_labels(fields, B)
    weighting = 4 * torch.randn(B, fields["num_labels"] or fields["hidden_sizes"][-1])

    mine, my_gradients = run(ours, pixel_values, labels, weighting)
    reference, gradients = run(theirs, pixel_values, labels, weighting)

    assert mine.keys() == list(reference.keys())
    assert len(mine.hidden_states) == len(reference.hidden_states) == fields["num_encoder_blocks"]
    for i, pair in enumerate(zip(mine.hidden_states, reference.hidden_states, strict=True)):
        assert_close(*pair, f"stage {i}")
    assert_close(mine.logits, reference.logits, "logits")
    if labels is not None:
        assert_close(mine.loss, reference.loss, "loss")
    assert my_gradients.keys() == gradients.keys()
    for name in gradients:
        assert_close(my_gradients[name], gradients[name], f"gradient of {name}")
    assert gradients["pixel_values"].abs().max() > 1e-3, "the oracle's gradient is nothing, so it would prove nothing"
    assert ours.config.problem_type == theirs.config.problem_type


@pytest.mark.parametrize("seed", range(0, 220, 10))
def test_plain_tuples_have_the_shape_and_order_of_transformers(seed):
    fields = random_fields(seed)
    height, width = fields.pop("picture")
    ours, theirs = build_pair(fields, seed)
    pixel_values = torch.randn(1, fields["num_channels"], height, width)
    labels = random_labels(fields, 1)
    for asked in (None, False, True):
        options = {"output_hidden_states": asked, "return_dict": False}
        for mine, reference in (
            (ours(pixel_values, labels=labels, **options), theirs(pixel_values, labels=labels, **options)),
            (ours.poolformer(pixel_values, **options), theirs.poolformer(pixel_values, **options)),
        ):
            assert type(mine) is tuple
            assert describe(mine) == describe(reference)


def describe(value):
    return [describe(entry) for entry in value] if isinstance(value, tuple) else getattr(value, "shape", None)
