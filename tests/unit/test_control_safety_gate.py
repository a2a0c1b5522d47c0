"""Nothing moves until armed; stale or bad input brakes the arm."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm, share_dir
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_gate import GateSettings, GateState, SafetyGate
from loopwm_ros.control.trajectory import hold
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, JointState, JointTrajectory

PERIOD = 1.0 / 80.0
ARM = load_arm("panda")
KINEMATICS = Kinematics(ARM)


class Rig:
    """A gate with an arm that follows its reference at once."""

    def __init__(self, settings: GateSettings | None = None) -> None:
        self.gate: SafetyGate = build_gate(KINEMATICS, ARM, PERIOD, settings)
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
            np.array([0.0, seconds, seconds + 0.2]),
            np.stack([start, start + velocity * seconds, start + velocity * (seconds + 0.1)]),
            np.stack([velocity, velocity, np.zeros(7)]),
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


def test_joints_that_jump_are_a_fault_that_says_which(rig: Rig) -> None:
    rig.gate.arm(rig.now)
    jumped = JointState(rig.now, KINEMATICS.home + 0.5 * np.eye(7)[3], np.zeros(7))
    with pytest.raises(SensorError, match=r"panda_joint4 jumped by 0\.50 rad"):
        rig.gate.add_joints(jumped, rig.now)
    assert rig.gate.state is GateState.FAULT
    assert rig.gate.step(rig.now).position is not None  # it is held


def test_a_fault_of_an_arm_that_is_not_commanded_sends_nothing(rig: Rig) -> None:
    rig.gate.fault("two nodes command the arm")
    out = rig.gate.step(rig.now)
    assert out.position is None
    assert out.reasons == ("two nodes command the arm",)
    with pytest.raises(SensorError, match="two nodes"):
        rig.gate.arm(rig.now)
    rig.gate.reset()
    assert rig.gate.state is GateState.DISARMED


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
    for _ in range(24):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        rig.step()
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
    for _ in range(24):
        rig.gate.add_plan(rig.moving_plan(), rig.now)
        rig.step()
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
    assert output.state is GateState.STOPPED
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
