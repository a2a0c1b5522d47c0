"""Nothing moves until armed; stale or bad input brakes the arm."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_gate import GateState, SafetyGate
from loopwm_ros.control.trajectory import hold
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, JointState, JointTrajectory

PERIOD = 1.0 / 80.0
ARM = load_arm("panda")
KINEMATICS = Kinematics(ARM)


class Rig:
    """A gate with an arm that follows its reference at once."""

    def __init__(self) -> None:
        self.gate: SafetyGate = build_gate(KINEMATICS, ARM, PERIOD)
        self.now = 0.0
        self.position: F64 = KINEMATICS.home.copy()
        self.track: list[F64] = []
        self.feed_joints = True

    def step(self) -> tuple[str, ...]:
        if self.feed_joints:
            joints = JointState(self.now, self.position, np.zeros(7))
            self.gate.add_joints(joints, self.now)
        out = self.gate.step(self.now)
        if out.position is not None:
            self.position = out.position
        self.track.append(self.position)
        self.now += PERIOD
        return out.reasons

    def moving_plan(self, speed: float = 0.4, seconds: float = 0.5) -> JointTrajectory:
        velocity = np.zeros(7)
        velocity[0] = speed
        start = self.position
        return JointTrajectory(
            self.now,
            np.array([0.0, seconds]),
            np.stack([start, start + velocity * seconds]),
            np.stack([velocity, velocity]),
        )


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.step()
    return rig


def test_disarmed_sends_nothing(rig: Rig) -> None:
    rig.gate.add_plan(rig.moving_plan(), rig.now)
    rig.gate.add_joints(JointState(rig.now, rig.position, np.zeros(7)), rig.now)
    out = rig.gate.step(rig.now)
    assert out.position is None
    assert out.state is GateState.DISARMED


def test_arming_needs_fresh_joints() -> None:
    gate = build_gate(KINEMATICS, ARM, PERIOD)
    with pytest.raises(SensorError, match="fresh joint states"):
        gate.arm(0.0)


def test_armed_follows_a_plan(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    for _ in range(12):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        rig.step()
    assert rig.position[0] > KINEMATICS.home[0] + 0.01


@pytest.mark.parametrize("cause", ["plan", "joints"])
def test_stale_input_brakes_to_rest_within_the_promise(rig: Rig, cause: str) -> None:
    rig.gate.arm(rig.now)
    for _ in range(24):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        rig.step()
    assert abs(rig.track[-1][0] - rig.track[-2][0]) / PERIOD > 0.1
    rig.feed_joints = cause != "joints"
    reasons: set[str] = set()
    timeout = 0.15
    stop = timeout + float(np.max(KINEMATICS.velocity_limit / KINEMATICS.acceleration_limit)) + 2 * PERIOD
    for _ in range(int(np.ceil(stop / PERIOD))):
        if cause != "plan":
            rig.gate.add_plan(rig.moving_plan(0.4), rig.now)
        reasons.update(rig.step())
    assert any("stale" in r for r in reasons)
    assert np.allclose(rig.track[-1], rig.track[-2], atol=1e-9)
    speeds = np.diff(np.asarray(rig.track), axis=0) / PERIOD
    changes = np.abs(np.diff(speeds, axis=0))
    assert np.all(changes <= KINEMATICS.acceleration_limit * PERIOD + 1e-9)


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


def test_lost_tracking_is_a_latched_fault(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.feed_joints = False
    far = JointState(rig.now, KINEMATICS.home + 1.0, np.zeros(7))
    rig.gate.add_joints(far, rig.now)
    assert rig.gate.step(rig.now).state is GateState.FAULT
    with pytest.raises(SensorError, match="fault"):
        rig.gate.arm(rig.now)
    rig.gate.reset()
    rig.gate.arm(rig.now)
    assert rig.gate.state is GateState.ARMED


@pytest.mark.parametrize("how", ["disarm", "reset"])
def test_disarming_in_motion_brakes_first(rig: Rig, how: str) -> None:
    rig.gate.arm(rig.now)
    for _ in range(24):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        rig.step()
    getattr(rig.gate, how)()
    assert rig.gate.state is GateState.STOPPING
    for _ in range(40):
        rig.step()
    assert rig.gate.state is GateState.DISARMED
    speeds = np.diff(np.asarray(rig.track), axis=0) / PERIOD
    assert np.all(np.abs(np.diff(speeds, axis=0)) <= KINEMATICS.acceleration_limit * PERIOD + 1e-9)
    assert np.allclose(speeds[-1], 0.0)


def test_stop_holds_until_armed_again(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    for _ in range(12):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        rig.step()
    rig.gate.stop()
    for _ in range(60):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        rig.step()
    assert np.allclose(rig.track[-1], rig.track[-2])
    rig.gate.arm(rig.now)
    for _ in range(12):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        rig.step()
    assert rig.track[-1][0] > rig.track[-12][0]


def test_a_stop_says_so_and_not_that_a_plan_is_missing(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.gate.add_plan(rig.moving_plan(), rig.now)
    rig.gate.stop()
    output = rig.gate.step(rig.now)
    assert output.state is GateState.STOPPING
    assert output.reasons == ("stop was asked for",)


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
