"""The loop in step: order, rates, and what a recorder gets to see."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.trajectory import hold
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory
from tests.arms import SERVO, ExactArm

ARM = load_arm("panda")
KINEMATICS = Kinematics(ARM)
RATIO = 4


class Log:
    """Controller and recorder in one: notes what it is given, in order."""

    def __init__(self, target: F64 | None = None) -> None:
        self.target = KINEMATICS.home if target is None else target
        self.events: list[tuple[str, float]] = []
        self.seed = -1

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        self.seed = seed
        self.events.append(("reset", now))

    def observe_joints(self, joints: JointState) -> None:
        self.events.append(("joints", joints.stamp))

    def observe_frame(self, frame: CameraFrame) -> None:
        self.events.append(("frame", frame.stamp))

    def observe_command(self, stamp: float, position: F64) -> None:
        self.events.append(("command", stamp))

    def tick(self, now: float) -> JointTrajectory:
        self.events.append(("tick", now))
        return hold(now, self.target)

    def plan(self, plan: JointTrajectory) -> None:
        assert plan.stamp == self.events[-1][1], "as soon as it is made"

    joint_state = observe_joints
    frame = observe_frame
    command = observe_command

    def stamps(self, kind: str) -> list[float]:
        return [stamp for name, stamp in self.events if name == kind]


def make_loop(controller: Log, recorder: Log | None = None) -> tuple[Lockstep, ExactArm]:
    arm = ExactArm(KINEMATICS.home)
    return Lockstep(arm, build_gate(KINEMATICS, ARM, SERVO), controller, RATIO, recorder), arm


def test_each_at_its_own_rate_and_in_order() -> None:
    controller = Log()
    loop, _ = make_loop(controller)
    loop.reset(7)
    for _ in range(3 * RATIO):
        loop.step()
    assert controller.seed == 7
    assert controller.stamps("tick") == pytest.approx(np.arange(3) * RATIO * SERVO)
    assert controller.stamps("command") == pytest.approx(np.arange(3 * RATIO) * SERVO)
    assert controller.stamps("joints") == pytest.approx(np.arange(1, 3 * RATIO + 1) * SERVO)
    first = [name for name, _ in controller.events[:5]]
    assert first == ["reset", "frame", "tick", "command", "joints"]


def test_a_recorder_sees_what_is_on_the_topics() -> None:
    controller, recorder = Log(), Log()
    loop, arm = make_loop(controller, recorder)
    loop.reset(0)
    for _ in range(2 * RATIO):
        loop.step()
    assert recorder.stamps("joints") == pytest.approx(np.arange(2 * RATIO + 1) * SERVO)
    assert recorder.stamps("command") == controller.stamps("command")
    assert recorder.stamps("frame") == controller.stamps("frame")
    assert len(arm.commands) == 2 * RATIO


def test_nothing_reaches_the_arm_past_the_gate() -> None:
    target = KINEMATICS.home.copy()
    target[0] += 0.15
    loop, arm = make_loop(Log(target))
    loop.reset(0)
    positions = [arm.position]
    for _ in range(6):
        loop.step()
        positions.append(arm.position)
    speeds = np.diff(np.array(positions), axis=0) / SERVO
    assert 0 < speeds[0, 0] <= KINEMATICS.acceleration_limit[0] * SERVO + 1e-9
    assert np.all(np.abs(speeds) <= KINEMATICS.velocity_limit + 1e-9)


def test_a_plan_that_the_gate_refuses_is_an_error() -> None:
    loop, _ = make_loop(Log(KINEMATICS.home + 0.5))
    loop.reset(0)
    with pytest.raises(SensorError, match="rad away"):
        loop.step()


def test_a_new_episode_starts_anew() -> None:
    controller = Log()
    loop, arm = make_loop(controller)
    for seed in (1, 2):
        loop.reset(seed)
        controller.events.clear()
        for _ in range(RATIO + 1):
            loop.step()
        assert controller.stamps("tick") == pytest.approx([0.0, RATIO * SERVO])
    assert arm.seeds == [0, 1, 2]


class Spoilt(ExactArm):
    """Joint states that do not arrive, then some that are not finite."""

    def joint_state(self) -> JointState | None:
        joints = super().joint_state()
        if 4 <= self._tick < 8:
            return None
        if 8 <= self._tick < 12:
            return JointState(joints.stamp, np.full_like(joints.position, np.nan), joints.velocity)
        return joints


def test_joints_that_do_not_arrive_are_not_passed_on() -> None:
    log = Log()
    loop = Lockstep(Spoilt(KINEMATICS.home), build_gate(KINEMATICS, ARM, SERVO), log, RATIO, None)
    loop.reset(0)
    for _ in range(7):
        loop.step()
    assert len(log.stamps("joints")) == 3
    with pytest.raises(SensorError, match="NaN"):
        loop.step()


def test_input_that_is_refused_is_told_where_someone_asks() -> None:
    refused: list[SensorError] = []
    gate = build_gate(KINEMATICS, ARM, SERVO)
    loop = Lockstep(Spoilt(KINEMATICS.home), gate, Log(), RATIO, None, refused.append)
    loop.reset(0)
    for _ in range(16):
        loop.step()
    assert len(refused) == 4
    assert all("NaN" in str(error) for error in refused)
