"""Colours against matplotlib; enlargements, overlays and atlases by their exact pixels."""

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import Normalize

from poolformer.errors import PoolFormerError
from poolformer.render.atlas import INK, PLATE, PLATE_PX, channel_atlas
from poolformer.render.colormaps import DIVERGING, NOT_A_NUMBER, SEQUENTIAL, apply_colormap, lookup_table, quantise
from poolformer.render.enlarge import crisp_size_px, enlarge
from poolformer.render.overlay import overlay


def random_picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", SEQUENTIAL + DIVERGING)
def test_colours_are_those_of_matplotlib(name):
    values = np.random.default_rng(0).normal(size=(40, 50))
    values[0, :4] = [-1, 1, np.inf, -np.inf]
    theirs = matplotlib.colormaps[name](Normalize(-1, 1)(values), bytes=True)[..., :3]
    np.testing.assert_array_equal(apply_colormap(values, name, -1, 1), theirs)


def test_values_that_are_no_numbers_are_grey():
    assert apply_colormap(np.array([np.nan, 0.5]), "magma", 0, 1)[0].tolist() == list(NOT_A_NUMBER)


def test_an_empty_range_is_the_middle_colour():
    below, at, above = apply_colormap(np.array([1.0, 2.0, 3.0]), "viridis", 2, 2)
    table = lookup_table("viridis")
    assert (below.tolist(), at.tolist(), above.tolist()) == (
        table[0].tolist(),
        table[128].tolist(),
        table[255].tolist(),
    )


@pytest.mark.parametrize("name", DIVERGING)
def test_zero_is_pale_in_diverging_maps(name):
    lightness = lookup_table(name).astype(int).sum(axis=1)
    assert np.argmax(lightness) == pytest.approx(128, abs=8)


def test_only_offered_maps_are_accepted():
    for name in ("jet", "", "<b>"):
        with pytest.raises(PoolFormerError, match="must be one of inferno"):
            apply_colormap(np.zeros(3), name, 0, 1)


def test_the_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        lookup_table("inferno")[0] = 0


def test_quantise_rounds_and_clips():
    assert quantise(np.array([-1, 0, 0.5, 0.999, 1, 2])).tolist() == [0, 0, 128, 255, 255, 255]


@pytest.mark.parametrize("factor", [1, 2, 64])
def test_a_whole_ratio_repeats_each_cell(factor):
    cells = random_picture(7, 5)
    expected = cells.repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(enlarge(cells, 7 * factor), expected)


@pytest.mark.parametrize(("cells", "size_px"), [(13, 448), (7, 100), (56, 225), (31, 448)])
def test_other_ratios_keep_cells_sharp_and_within_one_pixel_of_each_other(cells, size_px):
    ramp = np.arange(cells, dtype=np.uint8)[:, None, None].repeat(cells, axis=1).repeat(3, axis=2)
    large = enlarge(ramp, size_px)
    widths = np.bincount(large[:, 0, 0], minlength=cells)
    assert large.shape == (size_px, size_px, 3)
    assert (np.diff(large[:, 0, 0].astype(int)) >= 0).all()
    assert widths.max() - widths.min() <= 1
    assert widths.min() >= 1


def test_the_longer_edge_gets_the_size_and_the_aspect_stays():
    assert enlarge(random_picture(7, 14), 448).shape == (224, 448, 3)
    assert enlarge(random_picture(300, 1), 30).shape == (30, 1, 3)
    assert enlarge(random_picture(32, 24), 448, smooth=True).shape == (448, 336, 3)


def test_smooth_enlargement_of_one_colour_is_that_colour():
    assert (enlarge(np.full((8, 8, 3), 77, np.uint8), 50, smooth=True) == 77).all()


def test_crisp_size_is_the_nearest_multiple():
    assert [crisp_size_px(cells, 112) for cells in (56, 28, 7, 32, 13, 500)] == [112, 112, 112, 128, 117, 500]


def test_opacity_zero_is_the_picture_and_one_the_map():
    picture, values = random_picture(30, 40), np.random.default_rng(1).random((3, 4))
    np.testing.assert_array_equal(overlay(picture, values, "inferno", 0, 1, 0), picture)
    opaque = overlay(picture, values, "inferno", 0, 1, 1)
    np.testing.assert_array_equal(opaque, enlarge(apply_colormap(values, "inferno", 0, 1), 40))


def test_overlay_blends_by_opacity_alone():
    picture, values = random_picture(8, 8), np.random.default_rng(1).random((4, 4))
    colours = enlarge(apply_colormap(values, "viridis", 0, 2), 8).astype(float)
    expected = 0.7 * picture + 0.3 * colours
    assert np.abs(overlay(picture, values, "viridis", 0, 2, 0.3) - expected).max() <= 0.5 + 1e-4


def test_a_brighter_cell_elsewhere_changes_nothing_here():
    picture, values = random_picture(8, 8), np.random.default_rng(1).random((2, 2))
    before = overlay(picture, values, "viridis", 0, 1)
    values[1, 1] = 100
    after = overlay(picture, values, "viridis", 0, 1)
    np.testing.assert_array_equal(after[:4], before[:4])
    assert (after[4:, 4:] != before[4:, 4:]).any()


def test_cells_are_drawn_where_their_centres_are():
    picture = np.zeros((10, 20, 3), np.uint8)
    values = np.array([[0.0, 1.0], [1.0, 0.0]])
    centres = (np.array([0.05, 0.35]), np.array([0.1, 0.3]))  # borders at 0.2 of the height and of the width
    opaque = overlay(picture, values, "inferno", 0, 1, 1, centres=centres)
    dark, light = lookup_table("inferno")[[0, 255]]
    expected = np.empty_like(picture)
    expected[:2, :4], expected[:2, 4:], expected[2:, :4], expected[2:, 4:] = dark, light, light, dark
    np.testing.assert_array_equal(opaque, expected)


def test_even_centres_are_the_default():
    picture, values = random_picture(9, 15), np.random.default_rng(2).random((3, 5))
    even = ((np.arange(3) + 0.5) / 3, (np.arange(5) + 0.5) / 5)
    placed = overlay(picture, values, "magma", 0, 1, centres=even)
    np.testing.assert_array_equal(placed, overlay(picture, values, "magma", 0, 1))


def test_a_map_of_one_cell_covers_the_picture():
    picture = random_picture(6, 6)
    painted = overlay(picture, np.array([[1.0]]), "cividis", 0, 1, 1)
    assert (painted == lookup_table("cividis")[255]).all()


@pytest.mark.parametrize("opacity", [-0.1, 1.5, float("nan")])
def test_an_opacity_outside_its_range_is_refused(opacity):
    with pytest.raises(PoolFormerError, match="from 0 to 1"):
        overlay(random_picture(4, 4), np.zeros((2, 2)), "inferno", 0, 1, opacity)


def test_atlas_positions_are_exact():
    channels = np.random.default_rng(0).normal(size=(6, 4, 4))
    atlas = channel_atlas(channels, "RdBu_r", -1, 1, columns=4, cell_px=8, gap_px=3)
    assert atlas.shape == (2 * 8 + 3, 4 * 8 + 3 * 3, 4)
    covered = np.zeros(atlas.shape[:2], dtype=bool)
    for k, (y, x) in enumerate([(0, 0), (0, 11), (0, 22), (0, 33), (11, 0), (11, 11)]):
        expected = enlarge(apply_colormap(channels[k], "RdBu_r", -1, 1), 8)
        np.testing.assert_array_equal(atlas[y : y + 8, x : x + 8, :3], expected)
        covered[y : y + 8, x : x + 8] = True
    np.testing.assert_array_equal(atlas[..., 3], covered * 255)


def test_labels_stand_below_the_maps_and_cover_nothing():
    channels = np.random.default_rng(0).normal(size=(2, 3, 6))
    plain = channel_atlas(channels, "PuOr_r", -1, 1, columns=2, cell_px=60, gap_px=4)
    labelled = channel_atlas(channels, "PuOr_r", -1, 1, columns=2, cell_px=60, gap_px=4, labels=["7", "511"])
    assert plain.shape == (30, 124, 4)
    assert labelled.shape == (30 + PLATE_PX, 124, 4)
    np.testing.assert_array_equal(labelled[:30], plain)
    for x in (0, 64):
        plate = labelled[30:, x : x + 60]
        assert plate[0, 0].tolist() == [*PLATE, 255]
        assert np.abs(plate[..., :3].astype(int) - INK).sum(axis=-1).min() < 60  # antialiased
    assert (labelled[30:, :60] != labelled[30:, 64:]).any()
