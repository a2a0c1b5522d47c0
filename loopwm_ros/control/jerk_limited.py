"""Jerk-limited motion of all joints: Ruckig's time-optimal trajectories, one servo period at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ruckig import ControlInterface, InputParameter, Ruckig, RuckigError, Synchronization
from ruckig import Trajectory as RuckigTrajectory

from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.types import F64

LEAST_SPEED = 1e-4  # [rad/s]; a cap of zero is none to Ruckig
EXACT = 1.0 + 1e-6  # a duration that is as long as a period, but for rounding
SHARE = 1.0 - 1e-9  # of a limit, so that a target on it is within it


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


class Stop:
    """A way to come to rest, within the limits of acceleration and jerk."""

    def __init__(self, start: Motion, trajectory: RuckigTrajectory | None) -> None:
        """None: at rest already."""
        self._start, self._trajectory = start, trajectory
        self.duration: float = trajectory.duration if trajectory else 0.0  # [s]

    def at(self, time: float) -> Motion:
        """Where the joints are `time` [s] after the start; at rest from `duration` on."""
        if self._trajectory is None:
            return self._start
        position, velocity, acceleration = map(np.asarray, self._trajectory.at_time(time))
        if time >= self.duration:
            return at_rest(position)
        return Motion(position, velocity, acceleration)


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
        self._chase.synchronization = Synchronization.No
        self._brake.control_interface = ControlInterface.Velocity
        self._brake.synchronization = Synchronization.No
        self._brake.target_velocity = self._brake.target_acceleration = np.zeros(count)

    def towards(self, start: Motion, target: Motion, cap: F64) -> Motion | None:
        """One servo period further towards `target` and its velocity, each joint at most at `cap` (n,) [rad/s].

        It is the target itself, where that can be reached in the time. None: there is no such motion.
        """
        given, cap = self._chase, np.maximum(cap, LEAST_SPEED)
        given.current_position, given.current_velocity = start.position, start.velocity
        given.current_acceleration = start.acceleration
        given.max_velocity = cap
        velocity = np.clip(target.velocity, -cap * SHARE, cap * SHARE)
        # More than this and the velocity was, or will be, beyond the cap, by the time that jerk needs.
        hardest = np.minimum(np.sqrt(2.0 * self._jerk * (cap - np.abs(velocity))), self._hardest) * SHARE
        given.target_position, given.target_velocity = target.position, velocity
        given.target_acceleration = np.clip(target.acceleration, -hardest, hardest)
        found = RuckigTrajectory(len(cap))
        try:
            self._ruckig.calculate(given, found)
        except (RuckigError, ValueError):  # the second of a result that its bindings do not know
            return None
        return self._after(found)

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

    def _after(self, found: RuckigTrajectory) -> Motion:
        """One servo period along a trajectory, each joint at its target from its own end on."""
        given = self._chase
        targets = given.target_position, given.target_velocity, given.target_acceleration
        there = np.asarray(found.independent_min_durations) <= self._period * EXACT
        return Motion(*(np.where(there, t, v) for t, v in zip(targets, found.at_time(self._period), strict=True)))
