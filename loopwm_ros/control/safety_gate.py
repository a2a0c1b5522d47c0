"""Who may move the arm, and when: the state machine around the safety filter.

Nothing moves until armed. Without a fresh plan or fresh joints the arm is braked along a straight
line in joint space at its acceleration limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from loopwm_ros.config import Settings
from loopwm_ros.control.safety_filter import SafetyFilter
from loopwm_ros.control.trajectory import sample, sample_motion
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, JointState, JointTrajectory


class GateState(Enum):
    """States of the gate, as shown in diagnostics."""

    DISARMED = "disarmed"
    ARMED = "armed"
    STOPPING = "stopping"
    FAULT = "fault"


MOVING = (GateState.ARMED, GateState.STOPPING)


class GateSettings(Settings):
    """Time limits and tolerances of the gate."""

    joint_timeout: float = 0.15  # [s] joint states older than this stop the arm
    plan_timeout: float = 0.15  # [s] plans older than this stop the arm
    tracking_error: float = 0.35  # [rad] output against measured joints; above it is a fault
    jump: float = 0.2  # [rad] first point of a plan away from the output; above it is refused


@dataclass(frozen=True)
class GateOutput:
    """What to send to the controller this servo period."""

    position: F64 | None  # [rad], (n,); None sends nothing
    state: GateState
    reasons: tuple[str, ...]  # why the arm is not simply following the plan


class SafetyGate:
    """The safety node without ROS. Times are seconds on one clock, passed in."""

    def __init__(self, safety_filter: SafetyFilter, settings: GateSettings | None = None) -> None:
        self._filter = safety_filter
        self._settings = settings or GateSettings()
        self._state = GateState.DISARMED
        self._fault = ""
        self._joints: tuple[float, JointState] | None = None  # arrival, state
        self._plan: tuple[float, JointTrajectory] | None = None
        self._disarm_at_rest = False

    @property
    def state(self) -> GateState:
        """The present state."""
        return self._state

    @property
    def joints(self) -> JointState | None:
        """The newest accepted joint state."""
        return self._joints[1] if self._joints else None

    def arm(self, now: float) -> None:
        """Allow motion, from the measured joints.

        Raises:
            SensorError: in a fault, or no fresh joint states.
        """
        if self._state is GateState.FAULT:
            raise SensorError(f"cannot arm in fault ({self._fault}); remove the cause and call reset")
        if self._stale(self._joints, now, self._settings.joint_timeout) or self._joints is None:
            raise SensorError("cannot arm without fresh joint states; is the driver publishing them?")
        if self._state is GateState.DISARMED:
            self._filter.reset(self._joints[1].position)
            self._plan = None
        self._state, self._disarm_at_rest = GateState.ARMED, False

    def disarm(self) -> None:
        """Brake to rest, then send nothing; the controller holds its last reference. A fault stays."""
        if self._state is not GateState.FAULT:
            self._release()

    def stop(self) -> None:
        """Brake to rest and stay there until armed again."""
        if self._state is GateState.ARMED:
            self._state = GateState.STOPPING

    def reset(self) -> None:
        """Clear a fault and disarm."""
        self._fault = ""
        self._release()

    def restart(self) -> None:
        """Forget all at once, moving or not: for a new episode of a simulation."""
        self._state, self._fault, self._plan = GateState.DISARMED, "", None
        self._joints = None

    def _release(self) -> None:
        self._plan, self._disarm_at_rest = None, True
        moving = self._state is not GateState.DISARMED and self._filter.moving
        self._state = GateState.STOPPING if moving else GateState.DISARMED

    def add_joints(self, joints: JointState, now: float) -> None:
        """Store a measured joint state that arrived at `now`.

        Raises:
            SensorError: NaN or infinity.
        """
        if not (np.isfinite(joints.position).all() and np.isfinite(joints.velocity).all()):
            raise SensorError("joint state holds NaN or infinity; it is ignored")
        self._joints = (now, joints)

    def add_plan(self, plan: JointTrajectory, now: float) -> None:
        """Follow a new plan from `now` on.

        Raises:
            SensorError: not finite, wrong number of joints, it starts away from the present output, or
                so long from now that the clocks must differ.
        """
        if not (np.isfinite(plan.positions).all() and np.isfinite(plan.velocities).all()):
            raise SensorError(
                "plan holds NaN or infinity; it is ignored and the last plan's stop tail runs out"
            )
        if plan.positions.shape[1:] != self._filter.position.shape:
            raise SensorError(
                f"plan has {plan.positions.shape[1]} joints, "
                f"the arm {len(self._filter.position)}; it is ignored"
            )
        if plan.stamp - now > self._settings.plan_timeout:
            raise SensorError(
                f"plan starts {plan.stamp - now:.2f} s from now; it is ignored: "
                "check use_sim_time and the clocks"
            )
        gap = float(np.max(np.abs(sample(plan, now)[0] - self._filter.position)))
        if self._state in MOVING and gap > self._settings.jump:
            raise SensorError(
                f"plan starts {gap:.2f} rad away from the present reference "
                f"(at most {self._settings.jump} rad); it is ignored"
            )
        self._plan = (now, plan)

    def step(self, now: float) -> GateOutput:
        """The reference for this servo period. Call once per period."""
        if self._state is GateState.DISARMED:
            return GateOutput(None, self._state, ())
        reasons = self._checked(now)
        if self._state is GateState.FAULT:
            return GateOutput(self._filter.step(None).position, self._state, (self._fault,))
        plan = self._plan
        if plan is None or reasons:
            braked = self._filter.step(None)
            if self._state is GateState.STOPPING and self._disarm_at_rest and not self._filter.moving:
                self._state = GateState.DISARMED
            return GateOutput(braked.position, self._state, reasons or ("no plan",))
        filtered = self._filter.step(sample_motion(plan[1], now))
        return GateOutput(filtered.position, self._state, filtered.altered)

    def _checked(self, now: float) -> tuple[str, ...]:
        """Reasons to brake now; a broken tracking of the arm becomes a fault."""
        reasons = []
        if self._stale(self._joints, now, self._settings.joint_timeout):
            reasons.append("joint states are stale")
        elif self._joints is not None and self._state is not GateState.FAULT:
            error = float(np.max(np.abs(self._joints[1].position - self._filter.position)))
            if error > self._settings.tracking_error:
                self._state = GateState.FAULT
                self._fault = f"arm is {error:.2f} rad away from its reference"
        if self._state is GateState.STOPPING:
            reasons.append("stop was asked for")
        if self._plan is not None and self._stale(self._plan, now, self._settings.plan_timeout):
            reasons.append("plan is stale")
        return tuple(reasons)

    @staticmethod
    def _stale(entry: tuple[float, object] | None, now: float, timeout: float) -> bool:
        return entry is None or not -timeout <= now - entry[0] <= timeout
