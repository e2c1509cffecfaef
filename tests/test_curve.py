"""The curve of a training run, read back from its pixels."""

import numpy as np
from matplotlib.colors import to_rgb

from poolformer.render.curve import KEPT_COLOUR, LINE_COLOUR, draw_curves


def painted(picture, colour):
    """(rows, columns) of the pixels of exactly that colour."""
    rgb = np.rint(255 * np.array(to_rgb(colour))).astype(np.uint8)
    return np.nonzero((picture == rgb).all(-1))


def test_loss_falls_on_the_left_and_accuracy_rises_on_the_right():
    picture = draw_curves([3.0, 2.0, 1.0], [20.0, 50.0, 80.0], "test", 3)
    assert picture.dtype == np.uint8
    rows, columns = painted(picture, LINE_COLOUR)
    middle = picture.shape[1] // 2
    assert np.corrcoef(columns[columns < middle], rows[columns < middle])[0, 1] > 0.95  # rows count downwards
    assert np.corrcoef(columns[columns > middle], rows[columns > middle])[0, 1] < -0.95


def test_the_kept_epoch_is_marked_where_it_is():
    marks = []
    for kept in (1, 2, 3):
        columns = painted(draw_curves([1.0] * 3, [50.0] * 3, "validation", kept), KEPT_COLOUR)[1]
        marks.append(int(columns.min()))
    assert marks[1] - marks[0] == marks[2] - marks[1] > 20


def test_values_that_are_not_finite_leave_a_gap():
    whole = painted(draw_curves([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "test", 1), LINE_COLOUR)[0]
    gap = painted(draw_curves([1.0, float("nan"), float("inf")], [1.0, 2.0, 3.0], "test", 1), LINE_COLOUR)[0]
    assert 0 < len(gap) < len(whole)


def test_one_epoch_is_a_point():
    assert len(painted(draw_curves([1.0], [50.0], "test", 1), LINE_COLOUR)[0]) > 0
