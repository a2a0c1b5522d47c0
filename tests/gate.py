"""A safety gate with an arm that follows it at once."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_gate import GateSettings, SafetyGate
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

    def drive(self, periods: int) -> None:
        """Follow a new moving plan in each of `periods`."""
        for _ in range(periods):
            self.gate.add_plan(self.moving_plan(), self.now)
            self.step()

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
