"""Input that the gate refuses, and what comes of it."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.control.safety_gate import GateState
from loopwm_ros.control.trajectory import hold
from loopwm_ros.errors import SensorError
from loopwm_ros.types import JointState, JointTrajectory
from tests.gate import KINEMATICS, PERIOD, Rig, rig

__all__ = ["rig"]  # a fixture


def test_bad_plans_are_refused_by_name(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    bad = rig.moving_plan()
    bad.positions[1, 3] = np.nan
    with pytest.raises(SensorError, match="NaN"):
        rig.gate.add_plan(bad, rig.now)
    with pytest.raises(SensorError, match="6 joints, the arm 7"):
        rig.gate.add_plan(hold(rig.now, np.zeros(6)), rig.now)
    with pytest.raises(SensorError, match="rad away"):
        rig.gate.add_plan(hold(rig.now, KINEMATICS.home + 0.5), rig.now)


def test_nan_joints_are_refused_and_count_as_silence(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.feed_joints = False
    broken = JointState(rig.now, np.full(7, np.nan), np.zeros(7))
    reasons: tuple[str, ...] = ()
    for _ in range(20):
        with pytest.raises(SensorError, match="NaN"):
            rig.gate.add_joints(broken, rig.now)
        reasons = rig.step()
    assert "joint states are stale" in reasons


def test_joints_that_jump_are_a_fault_that_says_which(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    jumped = JointState(rig.now, KINEMATICS.home + 0.5 * np.eye(7)[3], np.zeros(7))
    with pytest.raises(SensorError, match=r"panda_joint4 jumped by 0\.50 rad"):
        rig.gate.add_joints(jumped, rig.now)
    assert rig.gate.state is GateState.FAULT
    assert rig.gate.step(rig.now).position is not None  # it is held


@pytest.mark.parametrize(
    ("stamp", "error"), [(-0.01, "not newer"), (-0.5, "stamped 0.50 s ago"), (0.5, "stamped 0.50 s from now")]
)
def test_late_doubled_and_future_joint_states_are_refused(rig: Rig, stamp: float, error: str) -> None:
    rig.gate.add_joints(JointState(rig.now, rig.position, np.zeros(7)), rig.now)
    with pytest.raises(SensorError, match=error):
        rig.gate.add_joints(JointState(rig.now + stamp, rig.position, np.zeros(7)), rig.now)
    with pytest.raises(SensorError, match="not newer"):
        rig.gate.add_joints(JointState(rig.now, rig.position, np.zeros(7)), rig.now)


def test_joints_that_freeze_are_silence(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    frozen = JointState(rig.now, rig.position, np.zeros(7))
    rig.feed_joints = False
    rig.gate.add_joints(frozen, rig.now)
    reasons: tuple[str, ...] = ()
    for _ in range(20):
        with pytest.raises(SensorError):
            rig.gate.add_joints(frozen, rig.now)
        reasons = rig.step()
    assert "joint states are stale" in reasons


def test_a_plan_without_a_stop_at_its_end_and_an_older_one_are_refused(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    good = rig.moving_plan()
    endless = JointTrajectory(good.stamp, good.offsets[:2], good.positions[:2], good.velocities[:2])
    with pytest.raises(SensorError, match=r"ends at 0\.40 rad/s.*must end at rest"):
        rig.gate.add_plan(endless, rig.now)
    rig.gate.add_plan(good, rig.now)
    with pytest.raises(SensorError, match=r"0\.050 s older"):
        rig.gate.add_plan(hold(rig.now - 0.05, rig.position), rig.now)


def test_plans_of_another_clock_are_refused(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    with pytest.raises(SensorError, match=r"5\.00 s from now.*use_sim_time"):
        rig.gate.add_plan(hold(rig.now + 5.0, KINEMATICS.home), rig.now)
    rig.gate.add_plan(hold(rig.now + 0.05, KINEMATICS.home), rig.now)


def test_a_far_plan_is_refused_while_stopping_too(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.gate.stop()
    with pytest.raises(SensorError, match="rad away"):
        rig.gate.add_plan(hold(rig.now, KINEMATICS.home + 0.5), rig.now)


def test_a_clock_that_jumps_back_stops_the_arm(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.gate.add_plan(rig.moving_plan(), rig.now)
    output = rig.gate.step(rig.now - 20.0)
    assert set(output.reasons) == {"joint states are stale", "plan is stale"}


def test_after_a_jump_the_arm_is_not_armed_before_the_joints_are_back(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.step()
    right = rig.position
    rig.position = right + 0.5 * np.eye(7)[3]
    with pytest.raises(SensorError, match="jumped"):
        rig.step()
    rig.now += PERIOD
    rig.gate.reset()
    for _ in range(3):
        rig.step()
    with pytest.raises(SensorError, match=r"cannot arm: joint states jumped, and are still 0\.50 rad from"):
        rig.gate.arm(rig.now)
    rig.position = right
    with pytest.raises(SensorError, match="jumped"):
        rig.step()
    rig.now += PERIOD
    rig.step()
    rig.gate.arm(rig.now)
    rig.step()
    np.testing.assert_allclose(rig.position, right)


def test_the_arm_is_not_armed_where_it_cannot_be(rig: Rig) -> None:
    rig.now += 1.0
    rig.position = KINEMATICS.home[::-1]  # as a driver that mixes up its joints would say
    rig.step()
    with pytest.raises(SensorError, match=r"cannot arm: a joint is measured .* beyond its range in the URDF"):
        rig.gate.arm(rig.now)
