"""Energy, principal components, strongest channels and ranges, against an SVD and numpy by hand."""

import numpy as np
import pytest

from poolformer.inspection.maps import energy, pca_rgb, strongest_channels, value_range


def random_stage(C, H, W, seed=0):
    """Activations with clearly separate principal components, as float32."""
    rng = np.random.default_rng(seed)
    spread = 1.0 / np.arange(1, C + 1)[:, None]
    mixed = rng.standard_normal((C, C)) @ (spread * rng.standard_normal((C, H * W)))
    return (mixed + rng.standard_normal((C, 1))).reshape(C, H, W).astype(np.float32)


def test_energy_is_the_mean_magnitude_over_channels():
    stage = np.array([[[1, -2], [0, 3]], [[-3, 2], [0, -5]]], dtype=np.float32)
    assert energy(stage).tolist() == [[2, 2], [0, 4]]
    assert energy(stage).dtype == np.float32


@pytest.mark.parametrize("shape", [(8, 20, 20), (64, 7, 5), (30, 6, 5), (4, 2, 2), (5, 1, 3)])
def test_pca_agrees_with_a_singular_value_decomposition(shape):
    stage = random_stage(*shape)
    cells = stage.reshape(shape[0], -1).T.astype(np.float64)
    cells = cells - cells.mean(axis=0)
    _, singular, directions = np.linalg.svd(cells, full_matrices=False)
    rank = min(3, shape[0], len(cells) - 1)
    pca = pca_rgb(stage)
    np.testing.assert_allclose(pca.explained[:rank], (singular**2 / (singular**2).sum())[:rank], rtol=1e-9)
    aligned = np.abs(np.sum(pca.components[:rank] * directions[:rank], axis=1))
    np.testing.assert_allclose(aligned, 1, rtol=1e-9)
    for k in range(rank):
        scores = cells @ pca.components[k]
        low, high = np.percentile(scores, (1, 99))
        expected = np.clip((scores - low) / (high - low), 0, 1)
        np.testing.assert_allclose(pca.rgb[..., k].ravel(), expected, atol=1e-6)


def test_pca_of_known_directions_is_exact():
    stage = np.zeros((3, 1, 4), dtype=np.float32)
    stage[1, 0] = [-3, 3, -3, 3]
    stage[2, 0] = [1, 1, -1, -1]
    pca = pca_rgb(stage)
    np.testing.assert_allclose(pca.components, [[0, 1, 0], [0, 0, 1], [0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(pca.explained, [0.9, 0.1, 0])
    np.testing.assert_allclose(pca.rgb[0], [[0, 1, 0.5], [1, 1, 0.5], [0, 0, 0.5], [1, 0, 0.5]], atol=1e-6)


def test_the_largest_loading_is_positive():
    for seed in range(20):
        components = pca_rgb(random_stage(6, 9, 9, seed)).components
        decisive = np.argmax(np.abs(components), axis=1)
        magnitudes = np.sort(np.abs(components), axis=1)
        clear = magnitudes[:, -2] < 0.99 * magnitudes[:, -1]
        assert (components[np.arange(3), decisive][clear] > 0).all()
        assert clear.any()


def test_nearly_equal_loadings_are_decided_by_the_lowest_channel():
    ramp = np.linspace(-1, 1, 25).reshape(5, 5)
    for excess in (-1e-3, 0, 1e-3):
        mirrored = np.stack([0 * ramp, ramp, -(1 + excess) * ramp])
        assert pca_rgb(mirrored).components[0, 1] > 0.7
        assert pca_rgb(-mirrored).components[0, 1] > 0.7


def test_permuting_cells_permutes_the_picture():
    stage = random_stage(16, 6, 7)
    order = np.random.default_rng(1).permutation(42)
    shuffled = stage.reshape(16, -1)[:, order].reshape(stage.shape)
    expected = pca_rgb(stage).rgb.reshape(42, 3)[order].reshape(6, 7, 3)
    np.testing.assert_allclose(pca_rgb(shuffled).rgb, expected, atol=1e-6)


def test_both_matrices_give_the_same_picture():
    stage = random_stage(12, 3, 4)
    padded = np.concatenate([stage, np.zeros((1, 3, 4), np.float32)])  # 13 channels, 12 cells: the other matrix
    np.testing.assert_allclose(pca_rgb(padded).rgb, pca_rgb(stage).rgb, atol=1e-6)


def test_adding_a_constant_or_scaling_changes_no_colour():
    stage = random_stage(10, 8, 8).astype(np.float64)
    offset = np.random.default_rng(2).standard_normal((10, 1, 1))
    for changed in (stage + offset, 3.5 * stage, np.asfortranarray(stage)):
        np.testing.assert_allclose(pca_rgb(changed).rgb, pca_rgb(stage).rgb, atol=1e-6)


def test_small_changes_of_the_input_change_colours_little():
    stage = random_stage(32, 10, 10)
    noise = np.random.default_rng(3).standard_normal(stage.shape).astype(np.float32)
    assert np.abs(pca_rgb(stage + 1e-5 * noise).rgb - pca_rgb(stage).rgb).max() < 1e-2


@pytest.mark.parametrize("shape", [(512, 1, 1), (1, 1, 1), (3, 40, 40), (512, 2, 2), (2, 5, 5)])
@pytest.mark.parametrize("value", [0, 0.1, -1e4])
def test_a_constant_stage_is_mid_grey(shape, value):
    pca = pca_rgb(np.full(shape, value, dtype=np.float32))
    assert (pca.rgb == 0.5).all()
    assert not pca.explained.any()
    assert not pca.components.any()


def test_rounding_noise_is_not_a_component():
    noise = np.random.default_rng(0).standard_normal((8, 5, 5))
    assert (pca_rgb(1 + 1e-8 * noise).rgb == 0.5).all()
    assert not (pca_rgb(1 + 1e-4 * noise).rgb == 0.5).any()


@pytest.mark.parametrize(("shape", "rank"), [((512, 1, 2), 1), ((512, 1, 3), 2), ((512, 2, 2), 3), ((2, 9, 9), 2)])
def test_missing_components_are_mid_grey(shape, rank):
    pca = pca_rgb(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    assert (pca.rgb[..., rank:] == 0.5).all()
    assert (pca.explained > 0).tolist() == [k < rank for k in range(3)]
    assert np.ptp(pca.rgb[..., :rank].reshape(-1, rank), axis=0).tolist() == [1] * rank


def test_one_different_cell_stands_out():
    stage = np.zeros((4, 20, 20), dtype=np.float32)
    stage[2, 3, 4] = 1
    red = pca_rgb(stage).rgb[..., 0]
    assert red[3, 4] == 1
    assert red.sum() == pytest.approx(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_have_no_components(bad):
    stage = random_stage(5, 4, 4)
    stage[1, 2, 3] = bad
    assert (pca_rgb(stage).rgb == 0.5).all()


def test_nothing_is_changed_in_place():
    stage = random_stage(6, 5, 5)
    before = stage.copy()
    energy(stage), pca_rgb(stage), strongest_channels(stage), value_range(stage, signed=True)
    np.testing.assert_array_equal(stage, before)


def test_strongest_channels_come_first_and_ties_keep_their_order():
    stage = np.array([1, -3, 2, 3, 0, -3], dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    assert strongest_channels(stage, 4).tolist() == [1, 3, 5, 2]
    assert strongest_channels(stage).tolist() == [1, 3, 5, 2, 0, 4]


def test_a_channel_that_is_not_a_number_is_the_weakest():
    stage = np.ones((3, 2, 2), dtype=np.float32)
    stage[0] = np.nan
    assert strongest_channels(stage).tolist() == [1, 2, 0]


def test_signed_range_is_symmetric_about_zero():
    values = np.concatenate([np.linspace(-4, 2, 601), [np.nan, np.inf]])
    low, high = value_range(values, signed=True, percentile=90)
    assert -low == high == pytest.approx(np.percentile(np.abs(values[:-2]), 90))


def test_unsigned_range_runs_between_percentiles():
    assert value_range(np.arange(1001.0), signed=False) == pytest.approx((5, 995))


def test_range_of_mostly_equal_values_takes_the_extremes():
    values = np.zeros(10_000)
    values[7] = 3
    assert value_range(values, signed=False) == (0, 3)
    assert value_range(-values, signed=True) == (-3, 3)


def test_range_of_constants_is_that_constant():
    assert value_range(np.full(5, 2.5), signed=False) == (2.5, 2.5)
    assert value_range(np.zeros(5), signed=True) == (0, 0)
    assert value_range(np.full(5, np.nan), signed=True) == (0, 0)
