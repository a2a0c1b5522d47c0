"""Control periods and slots."""

from __future__ import annotations

import pytest

from loopwm_ros.nodes.schedule import Schedule

PERIOD = 0.05


def make() -> Schedule:
    return Schedule(PERIOD, 2, steady=100.0, ros=7.0)


def test_stamps_follow_one_period_apart_whatever_the_timer_s_jitter() -> None:
    schedule = make()
    ticks = [
        schedule.tick(100.0 + i * PERIOD + late, 7.0 + i * PERIOD + late)
        for i, late in enumerate((0, 0.01, 0.02))
    ]
    assert [t.stamp for t in ticks] == pytest.approx([7.0, 7.05, 7.1])
    assert [t.slot for t in ticks] == [7.0, None, pytest.approx(7.1)]
    assert [t.due for t in ticks] == pytest.approx([100.0, 100.05, 100.1])
    assert [t.skipped for t in ticks] == [0, 0, 0]


def test_a_period_is_handed_out_once() -> None:
    schedule = make()
    assert schedule.tick(100.0, 7.0) is not None
    assert schedule.tick(100.01, 7.01) is None
    assert schedule.tick(100.05 - 1e-5, 7.05) is not None, "a timer that fires a little early counts"


def test_skipped_periods_are_counted_and_a_slot_entered_late_is_opened() -> None:
    schedule = make()
    schedule.tick(100.0, 7.0)
    tick = schedule.tick(100.0 + 3.2 * PERIOD, 7.0 + 3.2 * PERIOD)
    assert tick.skipped == 2
    assert tick.stamp == pytest.approx(7.15)
    assert tick.slot == pytest.approx(7.1)
    assert tick.due == pytest.approx(100.15)
    assert tick.slot_due == pytest.approx(100.1), "its deadline counts from its own start"


def test_stamps_start_anew_when_ros_time_falls_behind() -> None:
    schedule = make()
    schedule.tick(100.0, 7.0)
    small = schedule.tick(100.05, 7.04)
    assert small.stamp == pytest.approx(7.05)
    large = schedule.tick(100.1, 7.05)
    assert large.stamp == pytest.approx(7.05)
    assert schedule.tick(100.15, 7.10).stamp == pytest.approx(7.10)
