"""Networks for tests: weights under which every parameter matters, and random configs that can be built."""

import random
from typing import Any

import torch

from poolformer.nn.activations import ACTIVATIONS

PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")


def randomise(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Weights under which every parameter matters: norms, biases and layer scales too; signals keep their size."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm.weight" in name:
            parameter.data = 1 + 0.2 * noise
        elif "layer_scale" in name:
            parameter.data = 0.3 + 0.1 * noise
        elif parameter.ndim > 1:
            parameter.data = noise / parameter[0].numel() ** 0.5
        else:
            parameter.data = 0.1 * noise
    return model.eval()


def random_fields(seed: int) -> dict[str, Any]:
    """Keywords of a small config that either library builds, with a picture size in (height, width) under "picture"."""
    chance = random.Random(seed)
    stages = chance.randint(1, 5)
    patch_sizes = [chance.randint(1, 7) for _ in range(stages)]
    fields = {
        "num_channels": chance.randint(1, 4),
        "num_encoder_blocks": stages,
        "depths": [chance.choice([0, 1, 1, 2]) for _ in range(stages)],
        "hidden_sizes": [chance.randint(3, 9) for _ in range(stages)],
        "patch_sizes": patch_sizes,
        "strides": [chance.randint(1, 3 if stages < 4 else 2) for _ in range(stages)],
        "padding": [chance.randint(0, patch_size // 2) for patch_size in patch_sizes],
        "pool_size": chance.choice([1, 3, 3, 5]),
        "mlp_ratio": chance.choice([0.5, 1.0, 2.3, 4.0]),
        "hidden_act": chance.choice(sorted(ACTIVATIONS)),
        "use_layer_scale": chance.random() < 0.6,
        "layer_scale_init_value": chance.choice([1e-5, 0.1, 1.0]),
        "drop_path_rate": chance.choice([0.0, 0.0, 0.3]),
        "num_labels": chance.randint(0, 5),
    }
    wanted = chance.choice([None, *PROBLEM_TYPES])
    fields["problem_type"] = None if (wanted, fields["num_labels"]) == (PROBLEM_TYPES[1], 1) else wanted
    picture = [chance.randint(20, 70), chance.randint(20, 70)]
    return (
        random_fields(seed + 1_000_000)
        if min(_last_size(edge, fields) for edge in picture) < 2
        else {
            **fields,
            "picture": picture,
        }
    )


def _last_size(edge_px: int, fields: dict[str, Any]) -> int:
    for patch_size, stride, padding in zip(fields["patch_sizes"], fields["strides"], fields["padding"], strict=True):
        edge_px = (edge_px + 2 * padding - patch_size) // stride + 1 if edge_px > 0 else 0
    return edge_px
