"""The last limits before the arm. Every output has a stop behind it that was found safe before it was sent.

The filter tracks a reference and alters it only as far as a limit demands. It needs no model of the
controller: its own last output is the state it goes on from. docs/safety.md says why the limits hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.jerk_limited import JerkLimited, Motion, Stop, at_rest
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.stop_check import StopCheck
from loopwm_ros.types import F64

TOLERANCE = 1e-3  # changes below it are not reported [rad]
SLOWER = (0.5, 0.25, 0.1)  # shares of the speed that are tried before the arm is stopped
SOFT = 0.9  # share of the tool's speed limit at which it is slowed


@dataclass(frozen=True)
class Filtered:
    """One output of the filter."""

    position: F64  # [rad], (n,)
    velocity: F64  # [rad/s], (n,)
    altered: tuple[str, ...]  # limits that changed the reference, e.g. ("velocity",)


class SafetyFilter:
    """Tracks joint references within limits, one servo period at a time."""

    def __init__(self, kinematics: Kinematics, arm: ArmConfig, period: float) -> None:
        """`period` is the servo period [s].

        Raises:
            ConfigError: the arm at home is too near a keep-out box.
        """
        self._kinematics, self._arm, self._period = kinematics, arm, period
        self._limited = JerkLimited(kinematics, period)
        self._check = StopCheck(kinematics, arm)
        self.speed_share = 1.0  # of the limits on joint and tool speed, 0 to 1: for a monitor to slow the arm
        self.reset(kinematics.home)

    @property
    def position(self) -> F64:
        """The last output [rad], (n,)."""
        return self._now.position

    @property
    def velocity(self) -> F64:
        """Velocity of the last output [rad/s], (n,)."""
        return self._now.velocity

    @property
    def moving(self) -> bool:
        """Is the output still changing?"""
        return not self._now.at_rest

    @property
    def longest_stop(self) -> float:
        """Time in which a stop ends from any state within limits [s]."""
        return self._limited.longest_stop()

    def reset(self, position: F64) -> None:
        """Start at rest from measured joints (n,) [rad]."""
        start = at_rest(position)
        self._begin(start, self._limited.stop(start))

    def step(self, reference: Motion | None) -> Filtered:
        """Next output towards `reference`, where the arm should be now; None brakes to rest."""
        if reference is None:
            return self._brake([])
        target, altered = self._within(reference)
        wanted, slowed = self._next(target)
        danger = "" if wanted else "no motion within limits"
        for motion in self._candidates(wanted, target):
            stop = self._limited.stop(motion)
            found = self._check.danger(stop)
            if not found:
                altered += self._lag(motion, target, [*slowed, *filter(None, (danger,))])
                self._begin(motion, stop)
                return self._output(altered)
            danger = danger or found
        return self._brake([*altered, danger])

    def _candidates(self, wanted: Motion | None, target: Motion) -> Iterator[Motion]:
        """What may be done next: what is wanted, or the same more slowly."""
        if wanted is None:
            return
        yield wanted
        for share in SLOWER:
            slower = self._limited.towards(self._now, target, np.abs(wanted.velocity) * share)
            if slower is not None:
                yield slower

    def _within(self, reference: Motion) -> tuple[Motion, list[str]]:
        """The reference within the joints' ranges, at rest where it is beyond them."""
        k = self._kinematics
        position = np.clip(reference.position, k.lower, k.upper)
        beyond = np.abs(position - reference.position)
        inside = beyond == 0.0
        motion = Motion(position, reference.velocity * inside, reference.acceleration * inside)
        return motion, ["position"] if np.max(beyond) > TOLERANCE else []

    def _next(self, target: Motion) -> tuple[Motion | None, list[str]]:
        """One period towards the target within the limits on speed, and which of them slow the arm."""
        share, slowed = self._share()
        cap = self._kinematics.velocity_limit * share
        motion = self._limited.towards(self._now, target, cap)
        limit = self._arm.tool_speed * share * SOFT
        if motion and self._kinematics.tool_motion(motion.position, motion.velocity)[1] > limit:
            slowed.append("tool speed")
            mean = (target.position - self._now.position) / self._period
            speed = self._kinematics.tool_motion(self._now.position, mean)[1]
            along = np.abs(mean) * limit / max(speed, limit)
            motion = self._limited.towards(self._now, target, np.minimum(along, cap))
        return motion, slowed

    def _share(self) -> tuple[float, list[str]]:
        """Share of the speed limits to keep to, and why it is less than all."""
        near = self._arm.singularity
        value = self._kinematics.manipulability(self._now.position)
        shares = {"singularity": near.share_at(value), "monitor": self.speed_share}
        return float(np.prod(list(shares.values()))), [name for name, s in shares.items() if s < 1.0]

    def _lag(self, motion: Motion, target: Motion, slowed: list[str]) -> list[str]:
        """Why the next output is not the target; empty where it is."""
        if np.max(np.abs(motion.position - target.position)) <= TOLERANCE:
            return []
        mean = (target.position - self._now.position) / self._period
        fast = np.max(np.abs(mean) - self._kinematics.velocity_limit) * self._period > TOLERANCE
        return slowed or ["velocity" if fast else "acceleration"]

    def _begin(self, motion: Motion, stop: Stop) -> None:
        """Make a motion the output; the stop begins there."""
        self._now, self._stop, self._stopping = motion, stop, 0.0
        self._check.begin(motion)

    def _brake(self, altered: list[str]) -> Filtered:
        """One period further along the stop that was found safe."""
        self._stopping += self._period
        self._now = self._stop.at(self._stopping)
        self._check.begin(self._now)
        return self._output(altered)

    def _output(self, altered: list[str]) -> Filtered:
        return Filtered(self._now.position.copy(), self._now.velocity.copy(), tuple(dict.fromkeys(altered)))
