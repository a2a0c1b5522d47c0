"""Parts that break in mid-episode, between the simulated arm, the controller and the gate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from loopwm_ros.backends.base import Backend
from loopwm_ros.control.controller import Controller
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory
from loopwm_ros.validation.suite import FaultName

WHEN = (0.5, 1.5)  # a fault begins, after the start of an episode [s]
STREAM = 2  # of an episode's random numbers: streams 0 and 1 drew the episode and its disturbance
JUMP = 0.5  # of all joint positions [rad]
LOSS = 0.3  # share of the commands that are lost


@dataclass(frozen=True)
class FaultKind:
    """What is promised about one fault."""

    lasts: float  # [s]
    stops: bool  # the arm comes to rest while it lasts
    recovers: bool  # when it is over the arm goes on by itself


FAULTS: dict[FaultName, FaultKind] = {
    "camera_stops": FaultKind(1.0, stops=False, recovers=True),
    "camera_freezes": FaultKind(1.0, stops=False, recovers=True),
    "camera_black": FaultKind(1.0, stops=False, recovers=True),
    "joints_stop": FaultKind(1.0, stops=True, recovers=True),
    "joints_nan": FaultKind(1.0, stops=True, recovers=True),
    "joints_jump": FaultKind(0.5, stops=True, recovers=False),  # latched until a person resets it
    "plans_stop": FaultKind(1.0, stops=True, recovers=True),
    "plans_nan": FaultKind(1.0, stops=True, recovers=True),
    "commands_lost": FaultKind(2.0, stops=False, recovers=True),
}


class Fault:
    """One fault of one episode; times are seconds of the backend's clock."""

    def __init__(self, name: FaultName) -> None:
        self.name, self.kind = name, FAULTS[name]
        self.begins = self.ends = 0.0
        self._rng = np.random.default_rng()

    def draw(self, seed: int, start: float) -> None:
        """When it happens in the episode of this seed, which begins at `start`."""
        self._rng = np.random.default_rng((seed, STREAM))
        self.begins = start + float(self._rng.uniform(*WHEN))
        self.ends = self.begins + self.kind.lasts

    def active(self, name: FaultName, now: float) -> bool:
        """Is it this fault, and does it last?"""
        return self.name == name and self.begins <= now < self.ends

    def lost(self) -> bool:
        """Is this one among many lost?"""
        return bool(self._rng.random() < LOSS)


class FaultyBackend:
    """Another backend whose camera, joint states or command topic break."""

    def __init__(self, backend: Backend, fault: Fault) -> None:
        self._backend, self._fault = backend, fault
        self._last: CameraFrame | None = None

    @property
    def now(self) -> float:
        """Time of the last step [s]."""
        return self._backend.now

    def reset(self, seed: int) -> None:
        """Start a new episode, and draw when its fault happens."""
        self._backend.reset(seed)
        self._fault.draw(seed, self.now)
        self._last = None

    def step(self, command: F64 | None) -> None:
        """Advance one servo period; a command that is lost leaves the arm with its last one."""
        lost = self._fault.active("commands_lost", self.now) and self._fault.lost()
        self._backend.step(None if lost else command)

    def joint_state(self) -> JointState | None:
        """Joints as they arrive."""
        joints = self._backend.joint_state()
        if joints is None or self._fault.active("joints_stop", self.now):
            return None
        if self._fault.active("joints_nan", self.now):
            return replace(joints, position=np.full_like(joints.position, np.nan))
        if self._fault.active("joints_jump", self.now):
            return replace(joints, position=joints.position + JUMP)
        return joints

    def new_frame(self) -> CameraFrame | None:
        """The backend's frame as it arrives."""
        frame = self._backend.new_frame()
        if frame is None or self._fault.active("camera_stops", self.now):
            return None
        if self._fault.active("camera_black", self.now):
            return replace(frame, rgb=np.zeros_like(frame.rgb))
        if self._last is not None and self._fault.active("camera_freezes", self.now):
            return replace(frame, rgb=self._last.rgb)
        self._last = frame
        return frame


class FaultyController:
    """Another controller whose plans break on their way."""

    def __init__(self, controller: Controller, fault: Fault) -> None:
        self._controller, self._fault = controller, fault

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin an episode."""
        self._controller.reset(seed, now, joints)

    def observe_joints(self, joints: JointState) -> None:
        """A measured joint state."""
        self._controller.observe_joints(joints)

    def observe_frame(self, frame: CameraFrame) -> None:
        """A camera frame that has arrived."""
        self._controller.observe_frame(frame)

    def observe_command(self, stamp: float, position: F64) -> None:
        """A joint reference (n,) that was really sent."""
        self._controller.observe_command(stamp, position)

    def tick(self, now: float) -> JointTrajectory | None:
        """The controller's plan as it arrives."""
        if self._fault.active("plans_stop", now):
            return None
        plan = self._controller.tick(now)
        if plan is not None and self._fault.active("plans_nan", now):
            return replace(plan, positions=np.full_like(plan.positions, np.nan))
        return plan
