"""What the simulated arm truly did."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.bullet.cell import Truth
from loopwm_ros.config import load_arm
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.types import F64, JointState
from loopwm_ros.validation.faults import Fault
from loopwm_ros.validation.measured_motion import Extremes, MotionWatch, StopWatch

ARM = load_arm("panda")
K = Kinematics(ARM)
PERIOD = 1 / 80
HIGH = np.asarray(ARM.workspace.high)
INSIDE = HIGH - 0.05


def watched(states: list[tuple[F64, F64]], tool: F64 = INSIDE) -> Extremes:
    watch = MotionWatch(K, ARM.workspace, PERIOD)
    for position, velocity in states:
        watch.update(JointState(0.0, position, velocity), Truth({}, {}, tool, 0.0))
    return watch.extremes


def test_at_rest_within_limits_is_nothing() -> None:
    assert watched([(K.home, np.zeros(7))] * 10) == Extremes()


def test_each_limit_is_measured_by_its_own_excess() -> None:
    far = K.home.copy()
    far[2] = K.upper[2] + 0.01
    assert watched([(far, np.zeros(7))]).position == pytest.approx(0.01)
    fast = np.zeros(7)
    fast[1] = -1.2 * K.velocity_limit[1]
    assert watched([(K.home, fast)] * 2).velocity == pytest.approx(1.2)
    outside = HIGH - np.array([0.1, 0.1, -0.03])
    assert watched([(K.home, np.zeros(7))], outside).workspace == pytest.approx(0.03)


def test_acceleration_is_a_change_over_some_periods() -> None:
    limit = K.acceleration_limit[0]
    ramp = [np.eye(7)[0] * 0.5 * limit * PERIOD * i for i in range(20)]
    assert watched([(K.home, v) for v in ramp]).acceleration == pytest.approx(0.5)
    ripple = [np.eye(7)[0] * limit * PERIOD * (i % 2) for i in range(20)]
    assert watched([(K.home, v) for v in ripple]).acceleration < 0.3


def test_a_new_episode_begins_with_nothing() -> None:
    watch = MotionWatch(K, ARM.workspace, PERIOD)
    watch.update(JointState(0.0, K.upper + 1.0, np.ones(7)), Truth({}, {}, HIGH + 1.0, 0.0))
    watch.clear()
    assert watch.extremes == Extremes()


def stopped_after(moves: list[float], name: str = "plans_stop") -> float | None:
    """`moves`: of joint 0 in each servo period after the fault's begin [rad]."""
    fault = Fault(name)
    fault.draw(0, 0.0)
    watch = StopWatch(fault, 0.0, PERIOD)
    reference = np.zeros(7)
    watch.update(fault.begins - PERIOD, reference)
    for i, move in enumerate(moves):
        reference = reference + np.eye(7)[0] * move
        watch.update(fault.begins + i * PERIOD, reference)
    score = watch.score
    assert (score.name, score.begins_s) == (name, fault.begins)
    return score.stopped_after_s


def test_the_time_to_rest_is_that_of_the_last_stop() -> None:
    assert stopped_after([0.01] * 8 + [0.0] * 20) == pytest.approx(8 * PERIOD)
    assert stopped_after([0.0] * 5 + [0.01] * 5 + [0.0] * 5) == pytest.approx(10 * PERIOD)
    assert stopped_after([0.01] * 40) is None


def test_where_the_arm_need_not_stop_no_time_is_noted() -> None:
    assert stopped_after([0.0] * 20, "camera_stops") is None
