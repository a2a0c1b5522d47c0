"""Who may move the arm, and when: the state machine around the safety filter.

Nothing moves until armed. Without a fresh plan, fresh joints and, where there is one, the monitor's leave the
arm is braked, within the limits of acceleration and jerk.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from pydantic import Field

from loopwm_ros.config import Settings
from loopwm_ros.control.gate_inputs import JointInput, JointJumpError, PlanInput, PlanLimits, SpeedInput
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_filter import SafetyFilter
from loopwm_ros.control.trajectory import sample_motion
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, JointState, JointTrajectory

STOP_ASKED = "stop was asked for"
HELD = 0.02  # an arm so near to what it was last told is held there, and goes on from it [rad]
BACK = 0.2  # measured joints must be so near to where they were before a jump [rad]
BEYOND = 0.05  # ... and at most so far beyond the URDF's ranges, before the arm is armed [rad]
OF_MOTION = ("velocity", "acceleration")  # what a plan meets that starts anew all the time, in shadow


class GateState(Enum):
    """States of the gate, as shown in diagnostics."""

    DISARMED = "disarmed"  # nothing is sent
    SHADOW = "shadow"  # nothing is sent; plans are checked as if they were
    ARMED = "armed"  # plans are followed
    STOPPED = "stopped"  # braking, then holding
    FAULT = "fault"  # the same, and arming is refused until reset


class GateSettings(Settings):
    """Time limits and tolerances of the gate."""

    joint_timeout: float = Field(
        0.15, ge=0.02, le=1.0, description="age of joint states that stops the arm [s]"
    )
    plan_timeout: float = Field(0.15, ge=0.05, le=1.0, description="age of a plan that stops the arm [s]")
    monitor_timeout: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="silence of the monitor that stops the arm [s]; 0: there is no monitor",
    )
    tracking_error: float = Field(
        0.35, ge=0.01, le=1.0, description="command to measured joint: a fault [rad]"
    )
    jump: float = Field(0.2, ge=0.01, le=1.0, description="plan away from the command: refused [rad]")


@dataclass(frozen=True)
class GateOutput:
    """What to send to the controller this servo period."""

    position: F64 | None  # [rad], (n,); None sends nothing
    velocity: F64 | None  # of that reference [rad/s], (n,)
    state: GateState
    reasons: tuple[str, ...]  # why the arm is not simply following the plan


class SafetyGate:
    """The safety node without ROS. Times are seconds on one clock, passed in."""

    def __init__(
        self, kinematics: Kinematics, safety_filter: SafetyFilter, settings: GateSettings | None = None
    ) -> None:
        self._filter = safety_filter
        self._settings = chosen = settings or GateSettings()
        self._joints = JointInput(kinematics, chosen.joint_timeout)
        self._plan = PlanInput(PlanLimits(chosen.plan_timeout, chosen.jump))
        self._speed = SpeedInput(chosen.monitor_timeout)
        self._state = GateState.DISARMED
        self._sends = False  # references go out, be it to hold the arm
        self._fault = ""
        self._after_rest: GateState | None = None  # where a stop leads
        self._model = kinematics.model
        self._held: F64 | None = None  # the last reference that was sent (n,) [rad]
        self._before_jump: F64 | None = None  # joints (n,) [rad], until they are seen to be there again
        self._shadowed: JointTrajectory | None = None  # the plan that the filter follows in shadow

    @property
    def state(self) -> GateState:
        """The present state."""
        return self._state

    @property
    def joints(self) -> JointState | None:
        """The newest accepted joint state."""
        return self._joints.newest

    @property
    def moving(self) -> bool:
        """References go out that are not at rest."""
        return self._sends and self._filter.moving

    @property
    def idle(self) -> bool:
        """Nothing is sent, and no plan is checked."""
        return not self._sends and self._state is not GateState.SHADOW

    def fresh_joints(self, now: float) -> F64 | None:
        """Measured joints (n,) [rad]; None where they are not fresh."""
        joints = self._joints.fresh(now)
        return None if joints is None else joints.position

    def longest_stop(self, period: float) -> float:
        """From the loss of input to rest, at most [s]; `period` is the servo period [s]."""
        chosen = self._settings
        timeout = max(chosen.joint_timeout, chosen.plan_timeout, chosen.monitor_timeout)
        return timeout + period + self._filter.longest_stop

    def arm(self, now: float) -> None:
        """Allow motion, from the measured joints.

        Raises:
            SensorError: in a fault, or no fresh joint states, or none that can be believed.
        """
        if self._state is GateState.FAULT:
            raise SensorError(f"cannot arm in fault ({self._fault}); remove the cause and call reset")
        joints = self._joints.fresh(now)
        if joints is None:
            raise SensorError("cannot arm without fresh joint states; is the driver publishing them?")
        self._check_believable(joints.position)
        if not self._sends:
            self._filter.reset(self._start(joints.position))
            self._plan.clear()
        self._state, self._sends, self._after_rest = GateState.ARMED, True, None

    def _start(self, measured: F64) -> F64:
        """Where to go on from: the controller still holds the last reference, a little off `measured`."""
        if self._held is None or np.max(np.abs(self._held - measured)) > HELD:
            return measured
        return self._held

    def _check_believable(self, position: F64) -> None:
        """Refuse to start from joints (n,) [rad] where the arm cannot be: it would be sent there at once."""
        if self._before_jump is not None:
            off = float(np.max(np.abs(position - self._before_jump)))
            if off > BACK:
                raise SensorError(
                    f"cannot arm: joint states jumped, and are still {off:.2f} rad from where they were; "
                    "mend the driver, or restart the safety node if the arm really is there"
                )
            self._before_jump = None
        low, high = np.asarray(self._model.lowerPositionLimit), np.asarray(self._model.upperPositionLimit)
        if (beyond := float(np.max(np.maximum(low - position, position - high)))) > BEYOND:
            raise SensorError(
                f"cannot arm: a joint is measured {beyond:.2f} rad beyond its range in the URDF; check the "
                "driver's joint names and offsets"
            )

    def shadow(self) -> None:
        """Brake to rest, then send nothing but check plans. A fault stays."""
        if self._state is not GateState.FAULT:
            self._leave_for(GateState.SHADOW)

    def disarm(self) -> None:
        """Brake to rest, then send nothing; the controller holds its last reference. A fault stays."""
        if self._state is not GateState.FAULT:
            self._leave_for(GateState.DISARMED)

    def stop(self) -> None:
        """Brake to rest and stay there until armed again."""
        if self._state is GateState.ARMED:
            self._state, self._after_rest = GateState.STOPPED, None

    def fault(self, why: str) -> None:
        """Something is wrong that a person must see to: brake, and stay until reset. The first one counts."""
        if self._state is not GateState.FAULT:
            self._state, self._fault = GateState.FAULT, why

    def reset(self) -> None:
        """Clear a fault and disarm."""
        self._fault = ""
        self._leave_for(GateState.DISARMED)

    def restart(self) -> None:
        """Forget all at once, moving or not: for a new episode of a simulation."""
        self._state, self._sends, self._fault, self._after_rest = GateState.DISARMED, False, "", None
        self._before_jump = self._held = None
        for each in (self._joints, self._plan, self._speed):
            each.clear()

    def _leave_for(self, state: GateState) -> None:
        self._plan.clear()
        if self.moving:
            self._state, self._after_rest = GateState.STOPPED, state
        else:
            self._state, self._sends, self._after_rest = state, False, None

    def add_joints(self, joints: JointState, now: float) -> None:
        """Store a measured joint state that arrived at `now`.

        Raises:
            SensorError: it cannot be used; a jump is also a fault while the arm is commanded.
        """
        before = self._joints.newest
        try:
            self._joints.add(joints, now)
        except JointJumpError as jump:
            if self._sends:
                self.fault(str(jump))
                if self._before_jump is None and before is not None:
                    self._before_jump = before.position
            raise

    def add_plan(self, plan: JointTrajectory, now: float) -> None:
        """Follow a new plan from `now` on.

        Raises:
            SensorError: it cannot be followed (`PlanInput.add`).
        """
        self._plan.add(plan, now, self._filter.position, moving=self._sends)

    def add_speed(self, share: float, now: float) -> None:
        """The monitor leaves the arm this share of its speed, 0 to 1.

        Raises:
            SensorError: it is no such share.
        """
        self._speed.add(share, now)

    def step(self, now: float) -> GateOutput:
        """The reference for this servo period. Call once per period."""
        if self._state is GateState.SHADOW:
            return self._silent(self._shadow(now))
        if not self._sends:
            return self._silent((self._fault,) if self._fault else ())
        self._check_tracking(now)
        reasons = self._reasons(now)
        if reasons:
            output = self._send(self._filter.step(None).position, reasons)
            if self._after_rest and not self._filter.moving:
                self._state, self._sends, self._after_rest = self._after_rest, False, None
            return output
        assert self._plan.newest is not None
        filtered = self._filter.step(sample_motion(self._plan.newest, now))
        return self._send(filtered.position, filtered.altered)

    def _shadow(self, now: float) -> tuple[str, ...]:
        """What the filter would alter, if the plan were followed from where the arm is."""
        if reasons := self._missing(now):
            return reasons
        plan, joints = self._plan.newest, self._joints.newest
        assert plan is not None
        assert joints is not None
        if plan is not self._shadowed:
            self._shadowed = plan
            self._filter.reset(joints.position)
        altered = self._filter.step(sample_motion(plan, now)).altered
        return tuple(reason for reason in altered if reason not in OF_MOTION)

    def _check_tracking(self, now: float) -> None:
        joints = self._joints.fresh(now)
        if joints is None or self._state is GateState.FAULT:
            return
        error = float(np.max(np.abs(joints.position - self._filter.position)))
        if error > self._settings.tracking_error:
            self.fault(f"arm is {error:.2f} rad away from its reference")

    def _reasons(self, now: float) -> tuple[str, ...]:
        """Reasons to brake now."""
        if self._state is GateState.FAULT:
            return (self._fault,)
        if self._state is GateState.STOPPED:
            return (STOP_ASKED,)
        return self._missing(now)

    def _missing(self, now: float) -> tuple[str, ...]:
        """What is not there, or too old, to move by."""
        reasons = []
        if self._joints.fresh(now) is None:
            reasons.append("joint states are stale")
        if self._plan.newest is None:
            reasons.append("no plan")
        elif not self._plan.fresh(now):
            reasons.append("plan is stale")
        self._filter.speed_share, silent = self._speed.share(now)
        return (*reasons, silent) if silent else tuple(reasons)

    def _silent(self, reasons: tuple[str, ...]) -> GateOutput:
        return GateOutput(None, None, self._state, reasons)

    def _send(self, position: F64, reasons: tuple[str, ...]) -> GateOutput:
        self._held = position
        return GateOutput(position, self._filter.velocity.copy(), self._state, reasons)
