"""Control periods and slots."""

from __future__ import annotations

import pytest

from loopwm_ros.nodes.schedule import PATIENCE, Schedule

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


def stamps(schedule: Schedule, behind: list[float]) -> list[float]:
    """Of ticks at which ROS time is so many periods behind the steady clock."""
    ticks = (schedule.tick(100.0 + i * PERIOD, 7.0 + (i - b) * PERIOD) for i, b in enumerate(behind))
    return [(tick.stamp - 7.0) / PERIOD for tick in ticks]


def test_a_hiccup_of_ros_time_changes_no_stamp() -> None:
    late = [0.0, 0.6, 1.5, 0.8, 0.6, 0.0, 0.4, 0.9, 0.9, 0.9, 0.9, 0.1]
    assert stamps(make(), late) == pytest.approx(range(len(late)))


def test_stamps_start_anew_when_ros_time_stays_behind_or_jumps() -> None:
    patience = round(PATIENCE / PERIOD)
    late = [0.0, *[0.6] * patience, 0.6, 0.6, 0.6]
    behind = [0.0] * (patience + 1) + [0.6] * 3
    assert stamps(make(), late) == pytest.approx([i - b for i, b in enumerate(behind)])
    assert stamps(make(), [0.0, 3.0, 3.0]) == pytest.approx([0.0, -2.0, -1.0])
    assert stamps(make(), [0.0, -3.0, -3.0]) == pytest.approx([0.0, 4.0, 5.0])
