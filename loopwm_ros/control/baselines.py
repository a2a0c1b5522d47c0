"""Controllers without a model: do nothing, move at random, or know the truth (the ceiling)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.tool_motion import ToolMotion
from loopwm_ros.control.trajectory import deviation, hold, sample
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory

PERIODS = 3  # control periods each trajectory covers before its stop tail


class ToolVelocityController:
    """Follows a tool velocity chosen anew every control period."""

    def __init__(self, kinematics: Kinematics, motion: ToolMotion) -> None:
        self._kinematics, self._motion = kinematics, motion
        self._active: JointTrajectory | None = None
        self._sent: tuple[float, F64] | None = None
        self._rng = np.random.default_rng(0)

    def velocity(self, tool: F64) -> F64:  # noqa: ARG002
        """Wanted tool velocity (3,) [m/s] at tool position (3,) [m]."""
        return np.zeros(3)

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin an episode at rest at the measured joints."""
        self._rng = np.random.default_rng(seed)
        self._active = hold(now, joints.position)
        self._sent = None

    def observe_joints(self, joints: JointState) -> None:
        """Not used: the reference is what counts."""

    def observe_frame(self, frame: CameraFrame) -> None:
        """Not used: these controllers are blind."""

    def observe_command(self, stamp: float, position: F64) -> None:
        """Keep what was really sent."""
        self._sent = stamp, position

    def tick(self, now: float) -> JointTrajectory:
        """The trajectory to follow from `now` on."""
        assert self._active is not None, "reset() comes first"
        position, velocity = sample(self._active, now)
        if self._sent is not None:
            position = position + deviation(self._active, self._sent)
        wanted = self.velocity(self._kinematics.tool_position(position))
        self._active = self._motion.trajectory(now, position, velocity, np.tile(wanted, (PERIODS, 1)))
        return self._active


class RandomController(ToolVelocityController):
    """Smooth random tool velocities: an Ornstein-Uhlenbeck process."""

    def __init__(
        self, kinematics: Kinematics, motion: ToolMotion, max_speed: float, memory: float = 0.95
    ) -> None:
        """`memory` is the share of the velocity kept from one control period to the next."""
        super().__init__(kinematics, motion)
        self._max_speed, self._memory = max_speed, memory
        self._velocity = np.zeros(3)

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin an episode with a fresh random stream."""
        super().reset(seed, now, joints)
        self._velocity = np.zeros(3)

    def velocity(self, tool: F64) -> F64:  # noqa: ARG002
        """The process' next value, clipped to the speed limit."""
        noise = self._rng.normal(size=3) * self._max_speed * np.sqrt(1.0 - self._memory**2)
        self._velocity = self._memory * self._velocity + noise
        return np.clip(self._velocity, -self._max_speed, self._max_speed)


class ScriptedController(ToolVelocityController):
    """Goes straight to a target that it is told: inverse kinematics on truth."""

    def __init__(
        self,
        kinematics: Kinematics,
        motion: ToolMotion,
        target: Callable[[], F64],
        max_speed: float,
        gain: float = 3.0,
        noise: float = 0.0,
    ) -> None:
        """`target` gives (3,) [m]; `gain` [1/s] sets the approach; `noise` is a share of `max_speed`."""
        super().__init__(kinematics, motion)
        self._target, self._max_speed, self._gain, self._noise = target, max_speed, gain, noise
        self._disturbance = np.zeros(3)

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin an episode with a fresh random stream."""
        super().reset(seed, now, joints)
        self._disturbance = np.zeros(3)

    def velocity(self, tool: F64) -> F64:
        """Proportional approach, capped, with smooth noise where asked for."""
        wanted = self._gain * (self._target() - tool)
        wanted *= min(1.0, self._max_speed / max(1e-9, float(np.linalg.norm(wanted))))
        self._disturbance = 0.9 * self._disturbance + 0.44 * self._rng.normal(size=3)
        return np.asarray(wanted + self._noise * self._max_speed * self._disturbance)
