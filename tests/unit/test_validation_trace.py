"""Recording an episode."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.validation.trace import Series, Thinned, TraceRecorder
from tests import episodes as samples


@pytest.mark.parametrize("offered", [0, 1, 10, 11, 1000, 12345])
def test_thinning_is_bounded_even_and_keeps_the_first(offered: int) -> None:
    thinned: Thinned[int] = Thinned(10)
    for i in range(offered):
        thinned.add(i)
    assert len(thinned.items) <= 10
    assert thinned.items == list(range(0, offered, thinned.every))
    if offered > 10:
        assert len(thinned.items) >= 5


def test_series_interpolates_inside_and_is_nan_outside() -> None:
    series = Series(np.array([1.0, 2.0]), np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 4.0]]))
    np.testing.assert_allclose(series.at(1.25), [0.25, 0.5, 1.0])
    assert np.isnan(series.at(0.9)).all()
    assert np.isnan(series.at(2.1)).all()
    assert Series(np.empty(0), np.empty((0, 3))).at(1.0).shape == (3,)


def test_nearest_sample() -> None:
    series = Series(np.array([1.0, 2.0, 4.0]), np.array([10.0, 20.0, 40.0]))
    assert [float(series.nearest(t)) for t in (-5, 1.4, 2.9, 9)] == [10, 10, 20, 40]


def test_stamps_are_ordered_whatever_order_they_came_in() -> None:
    recorder = TraceRecorder(0.1)
    for stamp in (3.0, 1.0, 2.0):
        recorder.tool(stamp, [stamp, 0, 0])
        recorder.distance(stamp, stamp)
        recorder.frame(stamp, b"")
        recorder.cycle(stamp, stamp, float("nan"))
        recorder.miss(stamp)
    trace = recorder.finish(samples.result())
    for stamps in (trace.tool.stamps, trace.distance.stamps, trace.cycle_ms.stamps, trace.misses):
        np.testing.assert_array_equal(stamps, [1, 2, 3])
    assert [frame.stamp for frame in trace.frames] == [1, 2, 3]
    assert trace.start == 1.0


def test_what_is_recorded_is_a_copy() -> None:
    recorder, position = TraceRecorder(0.1), np.zeros(3)
    recorder.tool(0.0, position)
    position[:] = 1
    np.testing.assert_array_equal(recorder.finish(samples.result()).tool.values, [[0, 0, 0]])


def test_imagined_steps_are_one_model_period_apart_unless_said() -> None:
    recorder = TraceRecorder(0.1)
    recorder.imagined(0.0, np.zeros((3, 3)), None)
    recorder.imagined(1.0, np.zeros((2, 3)), [0, 0, 0], offsets=[0.4, 1.2])
    first, second = recorder.finish(samples.result()).imagined
    np.testing.assert_allclose(first.offsets, [0.1, 0.2, 0.3])
    np.testing.assert_allclose(second.offsets, [0.4, 1.2])
    assert first.goal is None


def test_the_plan_in_effect_is_the_latest_that_has_begun() -> None:
    trace = samples.trace(start=5.0)
    assert trace.plan_at(4.99) is None
    assert trace.plan_at(5.0) is trace.imagined[0]
    assert trace.plan_at(5.25) is trace.imagined[2]
    assert trace.plan_at(99.0) is trace.imagined[-1]


def test_an_empty_episode_is_a_trace() -> None:
    trace = TraceRecorder(0.1).finish(samples.result(success=False))
    assert trace.tool.values.shape == (0, 3)
    assert trace.distance.values.shape == (0,)
    assert trace.frames == ()
