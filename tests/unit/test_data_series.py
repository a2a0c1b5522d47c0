from __future__ import annotations

import numpy as np

from loopwm_ros.data.series import Series


def test_ordering_keeps_the_first_of_equal_stamps() -> None:
    series = Series.ordered([2.0, 1.0, 2.0], [[20.0], [10.0], [99.0]])
    np.testing.assert_array_equal(series.stamps, [1.0, 2.0])
    np.testing.assert_array_equal(series.values, [[10.0], [20.0]])


def test_interpolation_is_linear_and_held_outside() -> None:
    series = Series.ordered([0.0, 1.0], [[0.0, 1.0], [10.0, 3.0]])
    got = series.at(np.array([-1.0, 0.25, 2.0]))
    np.testing.assert_allclose(got, [[0.0, 1.0], [2.5, 1.5], [10.0, 3.0]])


def test_latest_holds_the_value_before() -> None:
    series = Series.ordered([0.0, 1.0], [[0.0], [1.0]])
    np.testing.assert_array_equal(series.latest(np.array([-1.0, 0.99, 1.0, 5.0]))[:, 0], [0, 0, 1, 1])


def test_cover_needs_samples_on_both_sides_or_right_there() -> None:
    series = Series.ordered([0.0, 0.1, 1.0], [[0.0]] * 3)
    times = np.array([-0.01, 0.0, 0.05, 0.15, 0.5, 1.0, 1.01])
    np.testing.assert_array_equal(series.covers(times, 0.1), [False, True, True, False, False, True, False])


def test_an_empty_series_covers_nothing() -> None:
    assert not Series.ordered([], [], 1).covers(np.array([0.0]), 1.0).any()
