"""The goal: confident readings only, their median, found by the quantities' names."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_task
from loopwm_ros.control.goal import GoalSettings, GoalTracker
from loopwm_ros.errors import MismatchError
from loopwm_ros.types import Encoding
from tests.fakes import make_spec

TASK = load_task("reach")
BALL = np.array([0.5, 0.1, 0.03])


def encoding(ball: np.ndarray, std: float = 0.002, tool_std: float = 0.002) -> Encoding:
    reading = np.concatenate([np.full(3, 9.0), ball]).astype(np.float32)
    spread = np.array([tool_std] * 3 + [std] * 3, dtype=np.float32)
    return Encoding(np.zeros((4, 64), np.float32), reading, spread)


def test_one_reading_is_not_enough() -> None:
    tracker = GoalTracker(TASK, make_spec())
    tracker.add(encoding(BALL))
    assert tracker.seen is None
    assert tracker.target is None
    tracker.add(encoding(BALL))
    assert np.allclose(tracker.seen, BALL)
    assert np.allclose(tracker.target, BALL + TASK.goal_offset)


def test_doubtful_readings_do_not_count_whatever_the_tool_reading_is_like() -> None:
    tracker = GoalTracker(TASK, make_spec())
    for _ in range(5):
        tracker.add(encoding(BALL, std=0.06))
        tracker.add(encoding(BALL, std=np.nan))
    assert tracker.seen is None
    for _ in range(2):
        tracker.add(encoding(BALL, std=0.049, tool_std=1.0))
    assert tracker.seen is not None


def test_outliers_do_not_move_it_and_old_readings_go() -> None:
    tracker = GoalTracker(TASK, make_spec(), GoalSettings(window=5))
    for i in range(20):
        tracker.add(encoding(BALL + (5.0 if i % 3 == 0 else 0.0)))
    assert np.allclose(tracker.seen, BALL, atol=1e-6)
    for _ in range(3):
        tracker.add(encoding(BALL + 0.2))
    assert np.allclose(tracker.seen, BALL + 0.2, atol=1e-6)


def test_clearing_forgets() -> None:
    tracker = GoalTracker(TASK, make_spec())
    for _ in range(3):
        tracker.add(encoding(BALL))
    tracker.clear()
    assert tracker.seen is None


def test_quantities_are_found_by_name() -> None:
    spec = make_spec(quantities=("ball_z", "tool_x", "ball_x", "tool_y", "ball_y", "tool_z"))
    tracker = GoalTracker(TASK, spec)
    reading = np.array([3.0, 9.0, 1.0, 9.0, 2.0, 9.0], dtype=np.float32)
    for _ in range(2):
        tracker.add(Encoding(np.zeros((4, 64), np.float32), reading, np.zeros(6, np.float32)))
    assert np.allclose(tracker.seen, [1.0, 2.0, 3.0])


def test_a_goal_that_the_model_does_not_read_out_is_named() -> None:
    with pytest.raises(MismatchError, match="no quantity cup_x"):
        GoalTracker(TASK.model_copy(update={"goal": "cup"}), make_spec())
