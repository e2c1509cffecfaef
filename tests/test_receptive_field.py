"""Stage layouts against a forward pass, receptive fields against the gradient of a cell with respect to the input."""

import numpy as np
import pytest
import torch
from torch import nn

from poolformer.errors import ImageError
from poolformer.inspection.receptive_field import cell_centres, receptive_box, stage_geometries
from poolformer.nn import PoolFormerConfig, PoolFormerModel
from poolformer.nn.model import PoolFormerGroupNorm

SMALL = {"num_channels": 1, "mlp_ratio": 1.0, "layer_scale_init_value": 1.0}
STRIDE_1 = {"patch_sizes": [3] * 4, "strides": [1, 2, 2, 2], "padding": [1] * 4}
EVEN = {"patch_sizes": [4, 2], "strides": [4, 2], "padding": [0, 0], "num_encoder_blocks": 2}
PADDED = {"patch_sizes": [6], "strides": [3], "padding": [2], "num_encoder_blocks": 1}
CONFIGS = {
    "published": PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[2, 3, 4, 5], **SMALL),
    "deeper": PoolFormerConfig(depths=[2, 1, 3, 0], hidden_sizes=[2] * 4, **SMALL),
    "wide pooling": PoolFormerConfig(depths=[1, 0, 2, 1], hidden_sizes=[2] * 4, pool_size=5, **SMALL),
    "first stride 1": PoolFormerConfig(depths=[1, 1, 1, 1], hidden_sizes=[2] * 4, **STRIDE_1, **SMALL),
    "even kernels": PoolFormerConfig(depths=[0, 1], hidden_sizes=[2, 2], **EVEN, **SMALL),
    "convolution": PoolFormerConfig(
        depths=[1, 0, 2, 1], hidden_sizes=[2] * 4, pool_size=5, token_mixer="convolution", **SMALL
    ),
    "identity": PoolFormerConfig(depths=[1, 0, 2, 1], hidden_sizes=[2] * 4, token_mixer="identity", **SMALL),
    "even with padding": PoolFormerConfig(depths=[1], hidden_sizes=[3], **PADDED, **SMALL),
}


def build_encoder(config, *, norms):
    torch.manual_seed(0)
    encoder = PoolFormerModel(config).encoder.double()
    for parent in list(encoder.modules()):
        for name, child in parent.named_children():
            if isinstance(child, PoolFormerGroupNorm) and not norms:
                setattr(parent, name, nn.Identity())
    return encoder


def influence(pixels, cells):
    """Which input pixels have a gradient: bool (H, W)."""
    (gradient,) = torch.autograd.grad(cells.sum(), pixels, retain_graph=True)
    return (gradient[0, 0] != 0).numpy()


def random_pixels(height_px, width_px):
    return torch.randn(1, 1, height_px, width_px, dtype=torch.float64, requires_grad=True)


def drawn(box, shape):
    mask = np.zeros(shape, dtype=bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


@pytest.mark.parametrize("shape", [(96, 96), (101, 83)])
@pytest.mark.parametrize("name", CONFIGS)
def test_boxes_are_the_pixels_that_have_a_gradient(name, shape):
    pixels = random_pixels(*shape)
    stages = build_encoder(CONFIGS[name], norms=False)(pixels)
    for geometry, stage in zip(stage_geometries(CONFIGS[name], *shape), stages, strict=True):
        read_at_all = influence(pixels, stage)  # all but a few pixels at the far edges that no patch covers
        last_row, last_col = geometry.height - 1, geometry.width - 1
        for row, col in [(geometry.height // 2, geometry.width // 2), (0, last_col), (last_row, 0)]:
            box = receptive_box(geometry, row, col, clip_to=shape)
            np.testing.assert_array_equal(influence(pixels, stage[..., row, col]), drawn(box, shape) & read_at_all)


@pytest.mark.parametrize("token_mixer", ["attention", "random"])
def test_a_mixer_of_the_whole_map_lets_every_later_cell_see_the_whole_picture(token_mixer):
    config = PoolFormerConfig(
        depths=[0, 1, 0, 1], hidden_sizes=[2] * 4, token_mixer=token_mixer, image_size=64, **SMALL
    )
    shape = (64, 64) if token_mixer == "random" else (61, 90)
    pixels = random_pixels(*shape)
    stages = build_encoder(config, norms=False)(pixels)
    local, *everything = stage_geometries(config, *shape)
    assert local.receptive_field_px == 7
    assert receptive_box(local, 3, 4, clip_to=shape) == (10, 14, 17, 21)
    for geometry, stage in zip(everything, stages[1:], strict=True):
        assert geometry.receptive_field_px is None
        box = receptive_box(geometry, 0, geometry.width - 1, clip_to=shape)
        assert box == (0, 0, *shape)
        np.testing.assert_array_equal(influence(pixels, stage[..., 0, -1]), influence(pixels, stage))
    with pytest.raises(ValueError, match="whole picture; give its size"):
        receptive_box(everything[0], 0, 0)


@pytest.mark.parametrize("norms", [True, False])
def test_only_norms_let_every_pixel_influence_every_cell(norms):
    pixels = random_pixels(64, 64)
    first_stage = build_encoder(CONFIGS["published"], norms=norms)(pixels)[0]
    assert influence(pixels, first_stage[..., 5, 5]).all() == norms


@pytest.mark.parametrize("shape", [(224, 224), (193, 257), (32, 32), (31, 97)])
@pytest.mark.parametrize("name", CONFIGS)
def test_layout_is_that_of_a_forward_pass(name, shape):
    with torch.no_grad():
        stages = build_encoder(CONFIGS[name], norms=True)(torch.zeros(1, 1, *shape, dtype=torch.float64))
    geometries = stage_geometries(CONFIGS[name], *shape)
    assert [(g.channels, g.height, g.width) for g in geometries] == [tuple(stage.shape[1:]) for stage in stages]


def test_s12_at_224_pixels():
    geometries = stage_geometries(PoolFormerConfig(), 224, 224)
    assert [g.stride_px for g in geometries] == [4, 8, 16, 32]
    assert [g.receptive_field_px for g in geometries] == [23, 63, 271, 431]
    assert {g.start_px for g in geometries} == {1.0}


def test_box_without_clipping_has_the_full_field_and_moves_by_the_stride():
    geometry = stage_geometries(CONFIGS["published"], 96, 96)[1]
    top, left, bottom, right = receptive_box(geometry, 0, 3)
    assert (bottom - top, right - left) == (geometry.receptive_field_px,) * 2
    assert top < 0
    assert receptive_box(geometry, 1, 3)[0] - top == geometry.stride_px
    assert (left + right - 1) / 2 == geometry.start_px + 3 * geometry.stride_px


@pytest.mark.parametrize(("row", "col"), [(-1, 0), (0, -1), (7, 0), (0, 7)])
def test_a_cell_outside_the_stage_is_refused(row, col):
    with pytest.raises(IndexError, match="7 x 7"):
        receptive_box(stage_geometries(PoolFormerConfig(), 224, 224)[3], row, col)


def test_a_picture_without_cells_is_refused():
    with pytest.raises(ImageError, match="9 x 2 pixels is too small"):
        stage_geometries(PoolFormerConfig(), 2, 9)


def test_cell_centres_are_fractions_of_the_picture():
    rows, cols = cell_centres(stage_geometries(PoolFormerConfig(), 224, 448)[3], 224, 448)
    np.testing.assert_allclose(rows * 224, 1.5 + 32 * np.arange(7))
    np.testing.assert_allclose(cols * 448, 1.5 + 32 * np.arange(14))


def test_cells_that_tile_the_picture_have_their_centres_in_the_middle_of_each_tile():
    config = PoolFormerConfig(
        depths=[1], hidden_sizes=[3], patch_sizes=[4], strides=[4], padding=[0], num_encoder_blocks=1, **SMALL
    )
    rows, _ = cell_centres(stage_geometries(config, 16, 16)[0], 16, 16)
    np.testing.assert_allclose(rows, [0.125, 0.375, 0.625, 0.875])
