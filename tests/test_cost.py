"""Parameters and multiply-accumulates counted from the config: against the published figures and the real network."""

import pytest
import torch
from networks import random_fields
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from poolformer.errors import ImageError
from poolformer.nn import PoolFormerConfig, PoolFormerForImageClassification
from poolformer.nn.activations import ACTIVATIONS
from poolformer.nn.checks import HIDDEN_ACTS
from poolformer.nn.cost import frozen_count, mac_count, parameter_count
from poolformer.nn.mixers import MIXERS
from poolformer.weights.variants import VARIANTS


def lay_out(config):
    """The network on the device that computes shapes only."""
    with torch.device("meta"):
        return PoolFormerForImageClassification(config)


def count_flops(model, height_px, width_px):
    """What torch counts of a forward pass, with attention written out as two products of matrices."""
    x = torch.zeros(1, model.config.num_channels, height_px, width_px, device="meta")
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_total_flops()


def count_normed(model, height_px, width_px):
    """How many numbers the norms of a forward pass put out."""
    sizes = []
    for module in model.modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_hook(lambda _module, _inputs, output: sizes.append(output.numel()))
    model(torch.zeros(1, model.config.num_channels, height_px, width_px, device="meta"))
    return sum(sizes)


def random_config(seed, token_mixer):
    """A small config with that mixer, and a picture size; the random mixer takes square ones."""
    fields = random_fields(seed)
    height_px, width_px = fields.pop("picture")
    if token_mixer == "random":
        width_px = height_px
        fields["image_size"] = height_px
    return PoolFormerConfig(**fields, token_mixer=token_mixer), height_px, width_px


# As published


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_and_macs_are_the_published_ones_to_the_printed_digit(name):
    row = VARIANTS[name]
    assert round(parameter_count(row.config()) / 1e6) == row.parameters_m
    assert round(mac_count(row.config(), 224, 224).total / 1e9, 1) == row.macs_g


@pytest.mark.parametrize(
    ("token_mixer", "parameters_m", "frozen_m", "macs_g"),
    [("pooling", 11.9, 0, 1.8), ("identity", 11.9, 0, 1.8), ("random", 11.9, 21, 3.3), ("convolution", 11.9, 0, 1.8)],
)
def test_s12_with_other_mixers_costs_what_table_5_of_the_paper_says(token_mixer, parameters_m, frozen_m, macs_g):
    config = PoolFormerConfig(token_mixer=token_mixer, image_size=224, num_labels=1000)
    assert round(parameter_count(config) / 1e6, 1) == parameters_m
    assert round(frozen_count(config) / 1e6) == frozen_m
    assert round(mac_count(config, 224, 224).total / 1e9, 1) == macs_g


# Against the network


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("token_mixer", MIXERS)
def test_counts_are_those_of_the_network(token_mixer, seed):
    config, height_px, width_px = random_config(seed, token_mixer)
    model = lay_out(config)
    count = mac_count(config, height_px, width_px)
    assert 2 * count.products == count_flops(model, height_px, width_px)
    assert count.norms == 5 * count_normed(model, height_px, width_px)
    assert count.total == count.products + count.norms
    assert parameter_count(config) == model.num_parameters() == model.num_parameters(only_trainable=True)
    assert parameter_count(config) + frozen_count(config) == sum(t.numel() for t in model.state_dict().values())


def test_a_config_knows_the_activations_and_their_parameters_without_making_them():
    assert tuple(sorted(ACTIVATIONS)) == HIDDEN_ACTS
    for name in ACTIVATIONS:
        config = PoolFormerConfig(depths=[1, 2, 0, 1], hidden_sizes=[4, 6, 8, 10], hidden_act=name)
        assert parameter_count(config) == lay_out(config).num_parameters()


@pytest.mark.parametrize("size", [(224, 224), (193, 257), (31, 97)])
@pytest.mark.parametrize("name", ["s12", "m48"])
def test_products_of_a_published_variant_are_half_of_the_flops_at_any_size(name, size):
    config = VARIANTS[name].config()
    assert 2 * mac_count(config, *size).products == count_flops(lay_out(config), *size)


# By hand


def test_each_product_of_a_small_network_is_counted_once():
    one_stage = {"num_encoder_blocks": 1, "depths": [1], "hidden_sizes": [2], "patch_sizes": [2], "strides": [2]}
    config = PoolFormerConfig(**one_stage, padding=[0], mlp_ratio=3, num_labels=5)
    places = 4 * 3  # of a picture of 8 x 6 pixels
    count = mac_count(config, 8, 6)
    assert count.products == places * (3 * 2 * 2 * 2) + places * (2 * 6 + 6 * 2) + 2 * 5
    assert count.norms == 5 * 3 * places * 2
    attention = mac_count(PoolFormerConfig(**config.to_dict() | {"token_mixer": "attention"}), 8, 6)
    assert attention.products - count.products == places * (4 * 2 * 32) + 2 * places * places * 32


def test_a_picture_without_cells_has_no_cost():
    with pytest.raises(ImageError, match="stage 2 would have no cell"):
        mac_count(PoolFormerConfig(padding=[2, 0, 0, 0]), 8, 8)
