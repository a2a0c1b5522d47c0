"""Jerk-limited motion of all joints: Ruckig's time-optimal trajectories, one servo period at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ruckig import ControlInterface, InputParameter, Ruckig, RuckigError, Synchronization
from ruckig import Trajectory as RuckigTrajectory

from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.types import F64

LEAST_SPEED = 1e-4  # [rad/s]; a cap of zero is none to Ruckig
CATCH_UP = 0.05  # [s] a lag is made good by so fast a motion that it would take this long
EXACT = 1.0 + 1e-6  # a duration that is as long as a period, but for rounding
SHARE = 0.999  # of a limit, so that a target on it is within it


@dataclass(frozen=True)
class Motion:
    """Joints at one moment, (n,) each."""

    position: F64  # [rad]
    velocity: F64  # [rad/s]
    acceleration: F64  # [rad/s^2]

    @property
    def at_rest(self) -> bool:
        """Does nothing move any more?"""
        return not (self.velocity.any() or self.acceleration.any())


def at_rest(position: F64) -> Motion:
    """Standing still at joints (n,) [rad]."""
    return Motion(np.array(position, dtype=float), np.zeros(len(position)), np.zeros(len(position)))


def _where(chosen: NDArray[np.bool_], one: Motion, other: Motion) -> Motion:
    """Of the `chosen` joints (n,) the one motion, of the rest the other."""
    return Motion(
        np.where(chosen, one.position, other.position),
        np.where(chosen, one.velocity, other.velocity),
        np.where(chosen, one.acceleration, other.acceleration),
    )


class Stop:
    """A way to come to rest, within the limits of acceleration and jerk."""

    def __init__(self, start: Motion, trajectory: RuckigTrajectory | None) -> None:
        """None: at rest already."""
        self._start, self._trajectory = start, trajectory
        self.duration: float = trajectory.duration if trajectory else 0.0  # [s]

    def path(self, times: F64) -> tuple[F64, F64]:
        """Positions [rad] and velocities [rad/s] at `times` (m,) [s], (m, n) each."""
        if self._trajectory is None:
            return np.array([self._start.position]), np.array([self._start.velocity])
        points = [self._trajectory.at_time(time) for time in times]
        return np.array([point[0] for point in points]), np.array([point[1] for point in points])

    def at(self, time: float) -> Motion:
        """Where the joints are `time` [s] after the start; at rest from `duration` on."""
        if self._trajectory is None:
            return self._start
        motion = Motion(*map(np.asarray, self._trajectory.at_time(time)))
        return at_rest(motion.position) if time >= self.duration else motion


class JerkLimited:
    """Steps towards moving targets and stops, within limits of velocity, acceleration and jerk."""

    def __init__(self, kinematics: Kinematics, period: float) -> None:
        """`period` is the servo period [s]."""
        count = len(kinematics.names)
        self._limit = kinematics.velocity_limit
        self._hardest, self._jerk = kinematics.acceleration_limit, kinematics.jerk_limit
        self._period = period
        self._ruckig = Ruckig(count)
        self._chase, self._brake = InputParameter(count), InputParameter(count)
        for each in (self._chase, self._brake):
            each.max_velocity = self._limit
            each.max_acceleration = self._hardest
            each.max_jerk = self._jerk
        self._chase.synchronization = Synchronization.Time
        self._brake.control_interface = ControlInterface.Velocity
        self._brake.synchronization = Synchronization.No
        for target in ("target_position", "target_velocity", "target_acceleration"):
            setattr(self._chase, target, np.zeros(count))
            setattr(self._brake, target, np.zeros(count))

    def towards(self, start: Motion, target: Motion, cap: F64) -> Motion | None:
        """One servo period further towards where `target` then is, each joint at most at `cap` (n,) [rad/s].

        It is the target itself, acceleration and all, where that can be reached in the time. Else it is the
        first step of Ruckig's way to a target that goes on at its velocity: to rest, in the target's frame of
        reference. The target may turn, so a lag is made good gently. None: there is no such motion.
        """
        given, cap = self._chase, np.maximum(cap, LEAST_SPEED)
        drift = np.clip(target.velocity, -cap * SHARE, cap * SHARE)
        given.current_position = start.position - target.position + drift * self._period
        given.current_velocity = start.velocity - drift
        given.current_acceleration = start.acceleration
        up, down = cap - drift, cap + drift
        # More than this and the velocity was, or will be, beyond the cap, by the time that jerk needs.
        hardest = np.minimum(np.sqrt(2.0 * self._jerk * (cap - np.abs(drift))), self._hardest) * SHARE
        exact = self._step(np.clip(target.acceleration, -hardest, hardest), up, down)
        if exact is None:
            return None
        there, near = exact
        if not there.all():
            closing = np.abs(start.position - target.position) / CATCH_UP + LEAST_SPEED
            chase = self._step(np.zeros_like(cap), np.minimum(up, closing), np.minimum(down, closing))
            if chase is None:
                return None
            near = _where(there, near, chase[1])
        return Motion(near.position + target.position, near.velocity + drift, near.acceleration)

    def _step(self, acceleration: F64, up: F64, down: F64) -> tuple[NDArray[np.bool_], Motion] | None:
        """Which joints' chases, to rest with `acceleration`, end within a period, and where all are after it.

        `up` and `down` bound the velocity. Positions and velocities are relative to the target; a joint whose
        chase has ended is there. None: there is no such chase.
        """
        given, found = self._chase, RuckigTrajectory(len(acceleration))
        given.max_velocity, given.min_velocity = up, -down
        given.target_acceleration = acceleration
        try:
            self._ruckig.calculate(given, found)
        except (RuckigError, ValueError):  # the second of a result that its bindings do not know
            return None
        ended = np.asarray(found.independent_min_durations) <= self._period * EXACT
        target = Motion(np.zeros_like(acceleration), np.zeros_like(acceleration), acceleration)
        return ended, _where(ended, target, Motion(*map(np.asarray, found.at_time(self._period))))

    def stop(self, start: Motion) -> Stop:
        """The quickest stop of each joint: with any other, a joint that accelerates could get too fast."""
        if start.at_rest:
            return Stop(start, None)
        given, found = self._brake, RuckigTrajectory(len(start.position))
        given.current_position, given.current_velocity = start.position, start.velocity
        given.current_acceleration = start.acceleration
        self._ruckig.calculate(given, found)
        return Stop(start, found)

    def longest_stop(self) -> float:
        """Time in which a stop ends from any velocity and acceleration within limits [s]."""
        ramp = self._hardest / self._jerk
        return float(np.max(self._limit / self._hardest + 2.0 * ramp))
