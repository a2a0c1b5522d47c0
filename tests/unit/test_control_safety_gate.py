"""Nothing moves until armed; stale or bad input brakes the arm."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import share_dir
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.safety_gate import GateSettings, GateState
from loopwm_ros.errors import SensorError
from loopwm_ros.types import JointState, JointTrajectory
from tests.gate import ARM, KINEMATICS, PERIOD, Rig, rig

__all__ = ["rig"]  # a fixture


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
    rig.drive(12)
    assert rig.position[0] > KINEMATICS.home[0] + 0.01


@pytest.mark.parametrize("cause", ["plan", "joints"])
def test_stale_input_brakes_to_rest_within_the_promise(rig: Rig, cause: str) -> None:
    rig.gate.arm(rig.now)
    rig.drive(24)
    assert abs(rig.track[-1][0] - rig.track[-2][0]) / PERIOD > 0.1
    rig.feed_joints = cause != "joints"
    reasons: set[str] = set()
    for _ in range(int(np.ceil(rig.gate.longest_stop(PERIOD) / PERIOD)) + 1):
        if cause != "plan":
            rig.gate.add_plan(rig.moving_plan(0.4), rig.now)
        reasons.update(rig.step())
    assert any("stale" in r for r in reasons)
    assert np.allclose(rig.track[-1], rig.track[-2], atol=1e-9)
    speeds = np.diff(np.asarray(rig.track), axis=0) / PERIOD
    changes = np.abs(np.diff(speeds, axis=0))
    assert np.all(changes <= KINEMATICS.acceleration_limit * PERIOD + 1e-9)


def test_the_promise_in_the_docs_is_that_of_the_shipped_files(rig: Rig) -> None:
    assert "under **0.45 s**" in (share_dir() / "docs" / "safety.md").read_text(encoding="utf-8")
    assert rig.gate.longest_stop(PERIOD) < 0.45


def test_lost_tracking_is_a_latched_fault(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.feed_joints = False
    far = KINEMATICS.home.copy()
    while rig.gate.state is not GateState.FAULT and rig.now < 2.0:
        far = far + 1.0 * PERIOD * np.eye(7)[0]  # slower than the joint can turn
        rig.gate.add_joints(JointState(rig.now, far, np.zeros(7)), rig.now)
        rig.step()
    assert rig.gate.state is GateState.FAULT
    with pytest.raises(SensorError, match=r"fault \(arm is 0.\d+ rad away from its reference\)"):
        rig.gate.arm(rig.now)
    rig.gate.reset()
    rig.gate.add_joints(JointState(rig.now, far, np.zeros(7)), rig.now)
    rig.gate.arm(rig.now)
    assert rig.gate.state is GateState.ARMED


def test_a_fault_of_an_arm_that_is_not_commanded_sends_nothing(rig: Rig) -> None:
    rig.gate.fault("two nodes command the arm")
    out = rig.gate.step(rig.now)
    assert out.position is None
    assert out.reasons == ("two nodes command the arm",)
    with pytest.raises(SensorError, match="two nodes"):
        rig.gate.arm(rig.now)
    rig.gate.reset()
    assert rig.gate.state is GateState.DISARMED


def test_in_shadow_nothing_is_sent_and_what_would_be_altered_is_said(rig: Rig) -> None:
    rig.gate.shadow()
    assert rig.gate.state is GateState.SHADOW
    reasons: set[str] = set()
    down = KINEMATICS.home.copy()
    for _ in range(200):
        down, _ = KINEMATICS.step(down, np.array([0.0, 0.0, -0.3]), 0.05)
    plan = JointTrajectory(rig.now, np.array([0.0, 2.0]), np.stack([rig.position, down]), np.zeros((2, 7)))
    rig.gate.add_plan(plan, rig.now)
    for _ in range(160):
        rig.gate.add_plan(plan, rig.now)
        reasons.update(rig.step())
    assert "workspace" in reasons or any("too near" in reason for reason in reasons), reasons
    assert np.array_equal(rig.track[0], rig.track[-1])
    rig.gate.arm(rig.now - PERIOD)
    assert rig.gate.state is GateState.ARMED


def test_a_moving_arm_brakes_into_shadow(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.drive(24)
    rig.gate.shadow()
    assert rig.gate.state is GateState.STOPPED
    for _ in range(40):
        rig.step()
    assert rig.gate.state is GateState.SHADOW


@pytest.mark.parametrize(("share", "why"), [(0.0, "monitor says stop"), (None, "monitor is silent")])
def test_a_monitor_that_says_stop_or_nothing_stops_the_arm(share: float | None, why: str) -> None:
    rig = Rig(GateSettings(monitor_timeout=0.2))
    rig.step()
    rig.gate.arm(rig.now)
    for i in range(60):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        said = 1.0 if i < 24 else share
        if said is not None:
            rig.gate.add_speed(said, rig.now)
        reasons = rig.step()
        if i == 23:
            assert rig.track[-1][0] > rig.track[-2][0]
    assert why in reasons
    assert np.array_equal(rig.track[-1], rig.track[-2])
    with pytest.raises(SensorError, match="from 0 to 1"):
        rig.gate.add_speed(float("nan"), rig.now)


@pytest.mark.parametrize("how", ["disarm", "reset"])
def test_disarming_in_motion_brakes_first(rig: Rig, how: str) -> None:
    rig.gate.arm(rig.now)
    rig.drive(24)
    getattr(rig.gate, how)()
    assert rig.gate.state is GateState.STOPPED
    for _ in range(40):
        rig.step()
    assert rig.gate.state is GateState.DISARMED
    speeds = np.diff(np.asarray(rig.track), axis=0) / PERIOD
    assert np.all(np.abs(np.diff(speeds, axis=0)) <= KINEMATICS.acceleration_limit * PERIOD + 1e-9)
    assert np.allclose(speeds[-1], 0.0)


def test_stop_holds_until_armed_again(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.drive(12)
    rig.gate.stop()
    rig.drive(60)
    assert np.allclose(rig.track[-1], rig.track[-2])
    rig.gate.arm(rig.now)
    rig.drive(12)
    assert rig.track[-1][0] > rig.track[-12][0]


def test_a_stop_says_so_and_not_that_a_plan_is_missing(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    rig.gate.add_plan(rig.moving_plan(), rig.now)
    rig.gate.stop()
    output = rig.gate.step(rig.now)
    assert output.state is GateState.STOPPED
    assert output.reasons == ("stop was asked for",)
