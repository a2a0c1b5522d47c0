"""What the simulated arm truly did: within limits or not, at rest when promised, pressing how hard."""

from __future__ import annotations

from collections import deque

import numpy as np
from pydantic import Field

from loopwm_ros.bullet.cell import Truth
from loopwm_ros.config import Box
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.types import F64, JointState
from loopwm_ros.validation.faults import Fault
from loopwm_ros.validation.statistics import Record
from loopwm_ros.validation.suite import FaultName

AT_REST = 1e-4  # [rad/s]
SPAN = 0.05  # acceleration is the change of velocity over this time: a servo's ripple is none [s]


class Extremes(Record):
    """The farthest that the simulated arm, not its reference, went in an episode."""

    position: float = Field(0.0, ge=0, description="beyond the joint limits [rad]")
    velocity: float = Field(0.0, ge=0, description="times the velocity limit")
    acceleration: float = Field(0.0, ge=0, description="times the acceleration limit, over 50 ms")
    workspace: float = Field(0.0, ge=0, description="the tool beyond the workspace [m]")


class FaultScore(Record):
    """One episode with a fault. Times from the fault's begin [s]."""

    name: FaultName
    begins_s: float = Field(description="after the start of the episode")
    stops: bool = Field(description="the arm must come to rest")
    recovers: bool = Field(description="the arm must go on by itself")
    stopped_after_s: float | None = Field(description="None: it did not, or did not have to")


class MotionWatch:
    """Follows one arm through one episode, a servo period at a time."""

    def __init__(self, kinematics: Kinematics, workspace: Box, period: float) -> None:
        """`period`: of the servo [s]."""
        self._k = kinematics
        self._past: deque[F64] = deque(maxlen=1 + max(1, round(SPAN / period)))
        self._span = period * max(1, round(SPAN / period))
        self._low, self._high = np.asarray(workspace.low), np.asarray(workspace.high)
        self.clear()

    def clear(self) -> None:
        """A new episode."""
        self._past.clear()
        self._largest = np.zeros(4)

    def update(self, joints: JointState, truth: Truth) -> None:
        """The arm's true joints and surroundings after one servo period."""
        k = self._k
        self._past.append(joints.velocity)
        change = joints.velocity - self._past[0]
        excess = [
            np.max(np.maximum(joints.position - k.upper, k.lower - joints.position)),
            np.max(np.abs(joints.velocity) / k.velocity_limit),
            np.max(np.abs(change) / self._span / k.acceleration_limit),
            np.max(np.maximum(truth.tool - self._high, self._low - truth.tool)),
        ]
        self._largest = np.maximum(self._largest, excess)

    @property
    def extremes(self) -> Extremes:
        """So far."""
        position, velocity, acceleration, workspace = self._largest.tolist()
        return Extremes(position=position, velocity=velocity, acceleration=acceleration, workspace=workspace)


class StopWatch:
    """When the reference came to rest while a fault lasted."""

    def __init__(self, fault: Fault, start: float, period: float) -> None:
        self._fault, self._start, self._period = fault, start, period
        self._before: F64 | None = None
        self._stopped: float | None = None

    def update(self, now: float, reference: F64 | None) -> None:
        """The reference (n,) [rad] that the arm got in the servo period that ends at `now` [s]."""
        before, self._before = self._before, reference
        if before is None or reference is None or not self._fault.begins <= now < self._fault.ends:
            return
        if float(np.max(np.abs(reference - before))) > AT_REST * self._period:
            self._stopped = None
        elif self._stopped is None:
            self._stopped = now - self._fault.begins

    @property
    def score(self) -> FaultScore:
        """What came of the fault."""
        kind = self._fault.kind
        return FaultScore(
            name=self._fault.name,
            begins_s=self._fault.begins - self._start,
            stops=kind.stops,
            recovers=kind.recovers,
            stopped_after_s=self._stopped if kind.stops else None,
        )
