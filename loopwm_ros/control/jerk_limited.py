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
LEAST_WAY = 1e-4  # [rad]; a limit of zero is none to Ruckig
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

    def __init__(self, start: Motion, trajectory: RuckigTrajectory | None, together: bool = False) -> None:
        """None: at rest already. `together`: all joints are at rest at once; some may get faster first."""
        self._start, self._trajectory, self.together = start, trajectory, together
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
        self._chase, self._straight = self._given(Synchronization.Time), self._given(Synchronization.Time)
        self._brake, self._together = self._given(Synchronization.No), self._given(Synchronization.Phase)
        for brake in (self._brake, self._together):
            brake.control_interface = ControlInterface.Velocity

    def _given(self, synchronization: Synchronization) -> InputParameter:
        """For motions that end at rest at zero, within all limits."""
        given = InputParameter(len(self._limit))
        given.synchronization = synchronization
        given.max_velocity, given.max_acceleration = self._limit, self._hardest
        given.max_jerk = self._jerk
        zero = np.zeros(len(self._limit))
        given.target_position, given.target_velocity, given.target_acceleration = zero, zero, zero
        return given

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
        relative, speed = away + drift * self._period, start.velocity - drift
        _set_state(given, relative, speed, start.acceleration)
        up, down = cap - drift, cap + drift
        # More than this and the velocity was, or will be, beyond the cap, by the time that jerk needs.
        hardest = np.minimum(np.sqrt(2.0 * self._jerk * (cap - np.abs(drift))), self._hardest) * SHARE
        accelerating = _clip(target.acceleration, -hardest, hardest)
        far = np.abs(relative) > (np.maximum(up, down) + np.abs(speed)) * self._period
        there, found = [False] * len(cap), None
        if not far.all():
            found = self._chase_to(accelerating, up, down)
            if found is None:
                return None
            there = self._ended(found)
        if found is None or not all(there):
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
        given = self._chase
        given.max_velocity, given.min_velocity = up.tolist(), (-down).tolist()
        given.target_acceleration = acceleration.tolist()
        return self._calculated(given)

    def _calculated(self, given: InputParameter) -> RuckigTrajectory | None:
        found = RuckigTrajectory(len(self._limit))
        try:
            self._ruckig.calculate(given, found)
        except (RuckigError, ValueError):  # the second of a result that its bindings do not know
            return None
        return found

    def straight(self, start: Motion, goal: F64, cap: F64) -> Motion | None:
        """One servo period further to rest at `goal` (n,) [rad], on a straight line of the joints from rest.

        `towards` gives each joint its own limits, which takes the tool anywhere at first; here all share the
        limits of the one with most to do. None: there is no such motion.
        """
        away, given = start.position - goal, self._straight
        way = np.maximum(np.abs(away), LEAST_WAY)
        given.max_velocity = (way * (np.maximum(cap, LEAST_SPEED) / way).min()).tolist()
        given.max_acceleration = (way * (self._hardest / way).min()).tolist()
        given.max_jerk = (way * (self._jerk / way).min()).tolist()
        _set_state(given, away, start.velocity, start.acceleration)
        found = self._calculated(given)
        if found is None:
            return None
        position, velocity, acceleration = map(np.asarray, found.at_time(self._period))
        return Motion(position + goal, velocity, acceleration)

    def _ended(self, chase: RuckigTrajectory) -> list[bool]:
        """Which joints' chases end within a period."""
        return [duration <= self._period * EXACT for duration in chase.independent_min_durations]

    def stop_together(self, start: Motion) -> Stop | None:
        """The quickest stop in which all joints are at rest at once, so that the tool keeps to its way.

        A joint that accelerates may get faster than its limit first. None: there is no such stop.
        """
        if start.at_rest:
            return Stop(start, None)
        _set_state(self._together, start.position, start.velocity, start.acceleration)
        found = self._calculated(self._together)
        return None if found is None else Stop(start, found, together=True)

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
