"""What a config must be for a network to be built from it; a refusal names field, value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from poolformer.errors import ConfigError
from poolformer.nn.layout import cells_along
from poolformer.nn.mixer_facts import MIXER_FACTS

# The keys of `poolformer.nn.activations.ACTIVATIONS`, in order: checking a config needs no torch.
HIDDEN_ACTS = (
    "gelu",
    "gelu_10",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_python_tanh",
    "gelu_pytorch_tanh",
    "hardswish",
    "laplace",
    "leaky_relu",
    "linear",
    "mish",
    "prelu",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "sqrtsoftplus",
    "swish",
    "tanh",
)
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")
LEAST_OF_STAGE = {"depths": 0, "hidden_sizes": 1, "patch_sizes": 1, "strides": 1, "padding": 0}


def check_fields(fields: Mapping[str, Any]) -> None:
    """Checks every field of a PoolFormerConfig by name.

    Raises:
        ConfigError: names the first field that no network can be built from.
    """
    stages = fields["num_encoder_blocks"]
    if not is_count(stages):
        refuse("num_encoder_blocks", stages, "a whole number of at least 1")
    for name, least in LEAST_OF_STAGE.items():
        if len(fields[name]) != stages or not all(is_count(value, least) for value in fields[name]):
            refuse(name, fields[name], f"{stages} whole numbers (num_encoder_blocks) of at least {least}")
    for name in ("num_channels", "stride"):
        if not is_count(fields[name]):
            refuse(name, fields[name], "a whole number of at least 1")
    patch_size = fields["patch_size"]
    if not all(is_count(value) for value in (patch_size if isinstance(patch_size, list | tuple) else [patch_size])):
        refuse("patch_size", patch_size, "a whole number of at least 1, or a list of them")
    if not is_count(fields["pool_size"]) or fields["pool_size"] % 2 == 0:
        refuse("pool_size", fields["pool_size"], "an odd whole number, so that the height and width stay")
    _check_token_mixer(fields)
    _check_numbers(fields)
    for name in ("use_layer_scale", "output_hidden_states", "return_dict"):
        if not isinstance(fields[name], bool) and (fields[name] is not None or name == "use_layer_scale"):
            refuse(name, fields[name], "true or false")
    if not isinstance(fields["hidden_act"], str) or fields["hidden_act"] not in HIDDEN_ACTS:
        refuse("hidden_act", fields["hidden_act"], "one of " + ", ".join(HIDDEN_ACTS))
    if fields["problem_type"] is not None and fields["problem_type"] not in PROBLEM_TYPES:
        refuse("problem_type", fields["problem_type"], "null or one of " + ", ".join(PROBLEM_TYPES))
    if fields["problem_type"] == "single_label_classification" and fields["num_labels"] == 1:
        refuse("problem_type", fields["problem_type"], "another where num_labels is 1: one class needs no choice")


def _check_token_mixer(fields: Mapping[str, Any]) -> None:
    token_mixer, size_px = fields["token_mixer"], fields["image_size"]
    if not isinstance(token_mixer, str) or token_mixer not in MIXER_FACTS:
        refuse("token_mixer", token_mixer, "one of " + ", ".join(MIXER_FACTS))
    if token_mixer != "random":  # Only its matrices fit one size; what a file says to others is not their business.
        return
    geometry = (fields[name] for name in ("patch_sizes", "strides", "padding"))
    if not is_count(size_px) or min(cells_along(size_px, *geometry)) < 1:
        allowed = "the height and width in pixels of all pictures, enough for a cell in every stage"
        refuse("image_size", size_px, f"{allowed}, because token_mixer is 'random'")


def _check_numbers(fields: Mapping[str, Any]) -> None:
    for name in ("layer_scale_init_value", "initializer_range"):
        if not is_number(fields[name]) or fields[name] < 0:
            refuse(name, fields[name], "a finite number of at least 0")
    mlp_ratio, rate = fields["mlp_ratio"], fields["drop_path_rate"]
    if not is_number(mlp_ratio) or min(fields["hidden_sizes"]) * mlp_ratio < 1:
        refuse("mlp_ratio", mlp_ratio, "a positive number that leaves every channel MLP at least 1 channel")
    if not is_number(rate) or not 0 <= rate < 1:
        refuse("drop_path_rate", rate, "a probability of at least 0 and below 1")


def to_list(name: str, value: Any) -> list[Any]:
    """A list of its own with the entries of `value`, one a stage."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        refuse(name, value, "a list with one number a stage")
    return list(value)


def to_label_names(value: Any) -> dict[int, str]:
    """id2label as the config keeps it: JSON has strings where the indices of labels are meant."""
    try:
        names = {int(index): str(label) for index, label in value.items()}
    except (AttributeError, TypeError, ValueError):
        names = {-1: ""}
    if any(index < 0 for index in names):
        refuse("id2label", value, 'null, or a name for the index of every label, like {"0": "cat", "1": "dog"}')
    return names


def to_label_indices(value: Any) -> dict[str, int]:
    """label2id as the config keeps it."""
    try:
        return {str(label): int(index) for label, index in value.items()}
    except (AttributeError, TypeError, ValueError):
        refuse("label2id", value, 'null, or the index of every label by its name, like {"cat": 0, "dog": 1}')


def is_count(value: Any, least: int = 1) -> bool:
    """Whether `value` is a whole number of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: Any) -> bool:
    """Whether `value` is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def refuse(name: str, value: Any, allowed: str) -> NoReturn:
    """Raises the ConfigError that says which field was wrong, its value, and what is allowed."""
    raise ConfigError(f"{name} is {value!r}; it must be {allowed}.")


def refuse_unknown(names: Sequence[str], known: Sequence[str]) -> NoReturn:
    """Raises the ConfigError for keywords that are no field."""
    near = get_close_matches(names[0], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; see its documentation, or put it into `extra`."
    raise ConfigError(f"PoolFormerConfig has no field {', '.join(names)}{hint}")
