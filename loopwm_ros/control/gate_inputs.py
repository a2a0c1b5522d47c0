"""What the safety gate takes in, and what it refuses: measured joints, plans, the monitor's word on speed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.trajectory import sample
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, JointState, JointTrajectory

JUMP_SPEED = 1.5  # measured joints may be so much faster than the URDF's velocity limits ...
JUMP_NOISE = 0.02  # ... and this much off beside it [rad]
AT_REST = 1e-3  # a plan must end this slow [rad/s]


class JointJumpError(SensorError):
    """Measured joints are where they cannot have come to."""


def is_fresh(arrival: float | None, now: float, timeout: float) -> bool:
    """Has something arrived in the last `timeout` [s]? Not if the clock has jumped, back or forth."""
    return arrival is not None and -timeout <= now - arrival <= timeout


class JointInput:
    """The newest joint state that can be trusted."""

    def __init__(self, kinematics: Kinematics, timeout: float) -> None:
        self._fastest: F64 = JUMP_SPEED * np.asarray(kinematics.model.velocityLimit)
        self._names, self._timeout = kinematics.names, timeout
        self.clear()

    def clear(self) -> None:
        """Forget what has been measured."""
        self._arrival: float | None = None
        self.newest: JointState | None = None

    def fresh(self, now: float) -> JointState | None:
        """The newest state, if it is fresh enough to move by."""
        return self.newest if is_fresh(self._arrival, now, self._timeout) else None

    def add(self, joints: JointState, now: float) -> None:
        """Take a state that arrived at `now`.

        Raises:
            SensorError: it is not finite, late, not newer than the last one, or stamped by another clock.
            JointJumpError: a joint has moved further than it can; the next state is taken as it is.
        """
        if not (np.isfinite(joints.position).all() and np.isfinite(joints.velocity).all()):
            raise SensorError("joint state holds NaN or infinity; it is ignored")
        age = now - joints.stamp
        if abs(age) > self._timeout:
            raise SensorError(
                f"joint state is stamped {abs(age):.2f} s {'ago' if age > 0 else 'from now'}, at "
                f"most {self._timeout:g} s is right; it is ignored: check the driver's delay, use_sim_time "
                "and the clocks"
            )
        last = self.fresh(now)
        if last is not None and joints.stamp <= last.stamp:
            raise SensorError("joint state is not newer than the last one; it is ignored")
        self._arrival, self.newest = now, joints
        if last is not None:
            self._check_jump(last, joints)

    def _check_jump(self, last: JointState, joints: JointState) -> None:
        moved = np.abs(joints.position - last.position)
        excess = moved - (self._fastest * (joints.stamp - last.stamp) + JUMP_NOISE)
        worst = int(np.argmax(excess))
        if excess[worst] > 0.0:
            raise JointJumpError(
                f"{self._names[worst]} jumped by {moved[worst]:.2f} rad in {joints.stamp - last.stamp:.3f} "
                "s: check the driver and the encoder"
            )


@dataclass(frozen=True)
class PlanLimits:
    """What a plan must keep to."""

    timeout: float  # [s]
    jump: float  # first point away from the reference [rad]


class PlanInput:
    """The plan that is followed."""

    def __init__(self, limits: PlanLimits) -> None:
        self._limits = limits
        self.clear()

    def clear(self) -> None:
        """Follow none."""
        self._arrival: float | None = None
        self.newest: JointTrajectory | None = None

    def fresh(self, now: float) -> bool:
        """Has a plan arrived lately?"""
        return is_fresh(self._arrival, now, self._limits.timeout)

    def add(self, plan: JointTrajectory, now: float, reference: F64, moving: bool) -> None:
        """Follow a plan from `now` on; `reference` (n,) [rad] is where the arm is told to be.

        Raises:
            SensorError: not finite, of another number of joints, without a stop at its end, older than the
                last one, so long from now that the clocks must differ, or, while `moving`, it starts away
                from the reference.
        """
        if not (np.isfinite(plan.positions).all() and np.isfinite(plan.velocities).all()):
            raise SensorError(
                "plan holds NaN or infinity; it is ignored and the last plan's stop tail runs out"
            )
        if plan.positions.shape[1:] != reference.shape:
            raise SensorError(
                f"plan has {plan.positions.shape[1]} joints, the arm {len(reference)}; it is ignored"
            )
        if (fastest := float(np.max(np.abs(plan.velocities[-1])))) > AT_REST:
            raise SensorError(f"plan ends at {fastest:.2f} rad/s; it is ignored: every plan must end at rest")
        if plan.stamp - now > self._limits.timeout:
            raise SensorError(
                f"plan starts {plan.stamp - now:.2f} s from now; it is ignored: "
                "check use_sim_time and the clocks"
            )
        if self.newest is not None and self.fresh(now) and plan.stamp < self.newest.stamp:
            raise SensorError(
                f"plan is {self.newest.stamp - plan.stamp:.3f} s older than the one that is followed; it is "
                "ignored"
            )
        gap = float(np.max(np.abs(sample(plan, now)[0] - reference)))
        if moving and gap > self._limits.jump:
            raise SensorError(
                f"plan starts {gap:.2f} rad away from the present reference "
                f"(at most {self._limits.jump} rad); it is ignored"
            )
        self._arrival, self.newest = now, plan


class SpeedInput:
    """The share of its speed that a monitor leaves the arm."""

    def __init__(self, timeout: float) -> None:
        """`timeout` [s]; 0: there is no monitor, and full speed is left."""
        self._timeout = timeout
        self.clear()

    def clear(self) -> None:
        """Nothing has been heard."""
        self._arrival: float | None = None
        self._share = 0.0

    def add(self, share: float, now: float) -> None:
        """Take a share in [0, 1].

        Raises:
            SensorError: it is not; then the last one becomes stale.
        """
        if not (math.isfinite(share) and 0.0 <= share <= 1.0):
            raise SensorError(f"speed share is {share}; expected a number from 0 to 1, it is ignored")
        self._arrival, self._share = now, share

    def share(self, now: float) -> tuple[float, str]:
        """The share that counts, and why it is 0, if it is."""
        if self._timeout == 0.0:
            return 1.0, ""
        if not is_fresh(self._arrival, now, self._timeout):
            return 0.0, "monitor is silent"
        return self._share, "" if self._share > 0.0 else "monitor says stop"
