"""Jerk-limited motion of all joints: Ruckig's time-optimal trajectories, one servo period at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np
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


def _clip(value: F64, low: F64, high: F64) -> F64:
    """As numpy's clip, which takes several times as long for so few numbers."""
    return np.minimum(np.maximum(value, low), high)


def _set_state(given: InputParameter, position: F64, velocity: F64, acceleration: F64) -> None:
    """Where a motion starts, (n,) each; as lists, which the bindings take in much less time than arrays."""
    given.current_position, given.current_velocity = position.tolist(), velocity.tolist()
    given.current_acceleration = acceleration.tolist()


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
        points = [self._trajectory.at_time(time) for time in times.tolist()]
        shape = len(times), 2, len(self._start.position)
        numbers = chain.from_iterable(position + velocity for position, velocity, _ in points)
        found = np.fromiter(numbers, float, math.prod(shape)).reshape(shape)
        return found[:, 0], found[:, 1]

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
        within = cap * SHARE
        drift = _clip(target.velocity, -within, within)
        away = start.position - target.position
        _set_state(given, away + drift * self._period, start.velocity - drift, start.acceleration)
        up, down = cap - drift, cap + drift
        # More than this and the velocity was, or will be, beyond the cap, by the time that jerk needs.
        hardest = np.minimum(np.sqrt(2.0 * self._jerk * (cap - np.abs(drift))), self._hardest) * SHARE
        accelerating = _clip(target.acceleration, -hardest, hardest)
        found = self._chase_to(accelerating, up, down)
        if found is None:
            return None
        there = self._ended(found)
        if not all(there):
            closing = np.abs(away) / CATCH_UP + LEAST_SPEED
            at_rest_there = np.zeros_like(cap)
            found = self._chase_to(at_rest_there, np.minimum(up, closing), np.minimum(down, closing))
            if found is None:
                return None
        position, velocity, acceleration = found.at_time(self._period)
        for joint, ended in enumerate(self._ended(found)):
            if there[joint] or ended:
                position[joint] = velocity[joint] = 0.0
                acceleration[joint] = float(accelerating[joint]) if there[joint] else 0.0
        return Motion(position + target.position, velocity + drift, np.array(acceleration))

    def _chase_to(self, acceleration: F64, up: F64, down: F64) -> RuckigTrajectory | None:
        """A chase that ends at rest, relative to the target, with `acceleration`; None: there is none.

        `up` and `down` bound its velocity. All are (n,), relative to the target but for the acceleration.
        """
        given, found = self._chase, RuckigTrajectory(len(acceleration))
        given.max_velocity, given.min_velocity = up.tolist(), (-down).tolist()
        given.target_acceleration = acceleration.tolist()
        try:
            self._ruckig.calculate(given, found)
        except (RuckigError, ValueError):  # the second of a result that its bindings do not know
            return None
        return found

    def _ended(self, chase: RuckigTrajectory) -> list[bool]:
        """Which joints' chases end within a period."""
        return [duration <= self._period * EXACT for duration in chase.independent_min_durations]

    def stop(self, start: Motion) -> Stop:
        """The quickest stop of each joint: with any other, a joint that accelerates could get too fast."""
        if start.at_rest:
            return Stop(start, None)
        given, found = self._brake, RuckigTrajectory(len(start.position))
        _set_state(given, start.position, start.velocity, start.acceleration)
        self._ruckig.calculate(given, found)
        return Stop(start, found)

    def longest_stop(self) -> float:
        """Time in which a stop ends from any velocity and acceleration within limits [s]."""
        ramp = self._hardest / self._jerk
        return float(np.max(self._limit / self._hardest + 2.0 * ramp))
