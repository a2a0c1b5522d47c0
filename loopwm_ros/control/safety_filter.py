"""The last limits before the arm. Every output has a stop behind it that was found safe before it was sent.

The filter tracks a reference and alters it only as far as a limit demands. It needs no model of the
controller: its own last output is the state it goes on from. docs/safety.md says why the limits hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.jerk_limited import JerkLimited, Motion, Stop, at_rest
from loopwm_ros.control.kinematics import Kinematics, Tool
from loopwm_ros.control.stop_check import StopCheck
from loopwm_ros.types import F64

TOLERANCE = 1e-3  # changes below it are not reported [rad]
SLOWER = 0.25  # share of the speed that is tried before the arm is stopped
ROUNDING = 1e-9  # of a singular value [m, rad]
STRAIGHT = 0.2  # share of the joints' speed limits with which the arm goes straight, along a border
SOFT = 0.9  # share of the tool's speed limit at which it is slowed


@dataclass(frozen=True)
class Candidate:
    """What may be done next."""

    motion: Motion
    tool: Tool  # there

    @property
    def tool_speed(self) -> float:
        """Of the tool [m/s]."""
        return self.tool.speed(self.motion.velocity)


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
        self._known = self._tool.jacobian, self._tool.manipulability()

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
        self._begin(self._candidate(start), self._limited.stop(start))

    def step(self, reference: Motion | None) -> Filtered:
        """Next output towards `reference`, where the arm should be now; None brakes to rest."""
        if reference is None:
            return self._brake([])
        target, altered = self._within(reference)
        share, slowed = self._share()
        wanted = self._next(target, share, slowed)
        danger = "no motion within limits"
        for candidate, stop in self._ways(wanted, target, share):
            found = self._check.danger(stop, candidate.tool)
            if not found:
                why = slowed if candidate is wanted else [*slowed, danger]
                altered += self._lag(candidate.motion, target, why)
                self._begin(candidate, stop)
                return self._output(altered)
            if candidate is wanted:
                danger = found
        return self._brake([*altered, danger])

    def _ways(
        self, wanted: Candidate | None, target: Motion, share: float
    ) -> Iterator[tuple[Candidate, Stop]]:
        """What may be done next, with a stop: on the tool's way, or what is wanted also with the quickest."""
        for candidate in self._candidates(wanted, target, share):
            together = self._limited.stop_together(candidate.motion)
            if together is not None:
                yield candidate, together
            if candidate is wanted:
                yield candidate, self._limited.stop(candidate.motion)

    def _candidate(self, motion: Motion) -> Candidate:
        return Candidate(motion, self._kinematics.tool(motion.position))

    def _candidates(self, wanted: Candidate | None, target: Motion, share: float) -> Iterator[Candidate]:
        """What may be done next: what is wanted, or straight to where the target is, or more slowly."""
        if wanted is None:
            return
        yield wanted
        cap = self._kinematics.velocity_limit * (share * STRAIGHT)
        if (np.abs(self._now.velocity) <= cap).all():  # with so little to brake with, it must be slow already
            straight = self._limited.straight(self._now, target.position, cap)
            if straight is not None:
                yield self._candidate(straight)
        slower = self._towards(target, np.abs(wanted.motion.velocity) * SLOWER)
        if slower is not None:
            yield slower

    def _towards(self, target: Motion, cap: F64) -> Candidate | None:
        """One period towards the target, each joint at most at `cap` (n,) [rad/s]; None: there is no such."""
        motion = self._limited.towards(self._now, target, cap)
        return None if motion is None else self._candidate(motion)

    def _within(self, reference: Motion) -> tuple[Motion, list[str]]:
        """The reference within the joints' ranges, at rest where it is beyond them."""
        k = self._kinematics
        position = np.minimum(np.maximum(reference.position, k.lower), k.upper)
        inside = position == reference.position
        if inside.all():
            return reference, []
        motion = Motion(position, reference.velocity * inside, reference.acceleration * inside)
        beyond = np.abs(position - reference.position).max()
        return motion, ["position"] if beyond > TOLERANCE else []

    def _next(self, target: Motion, share: float, slowed: list[str]) -> Candidate | None:
        """One period towards the target within a `share` of the limits on speed; adds what slows it."""
        cap = self._kinematics.velocity_limit * share
        candidate = self._towards(target, cap)
        limit = self._arm.tool_speed * share * SOFT
        if candidate and candidate.tool_speed > limit:
            slowed.append("tool speed")
            mean = (target.position - self._now.position) / self._period
            speed = self._kinematics.tool_motion(self._now.position, mean)[1]
            along = np.abs(mean) * limit / max(speed, limit)
            candidate = self._towards(target, np.minimum(along, cap))
        return candidate

    def _share(self) -> tuple[float, list[str]]:
        """Share of the speed limits to keep to, and why it is less than all."""
        shares = {"singularity": self._singularity_share(), "monitor": self.speed_share}
        return math.prod(shares.values()), [name for name, s in shares.items() if s < 1.0]

    def _singularity_share(self) -> float:
        """Share of the speed limits that nearness to a singularity leaves.

        A singular value changes by the norm of a matrix's change at most, so it is computed anew only where
        one that is known does not show that it is high enough.
        """
        jacobian, value = self._known
        slow = self._arm.singularity.slow + ROUNDING
        if value > slow and value - float(np.linalg.norm(self._tool.jacobian - jacobian)) >= slow:
            return 1.0
        self._known = self._tool.jacobian, self._tool.manipulability()
        return self._arm.singularity.share_at(self._known[1])

    def _lag(self, motion: Motion, target: Motion, slowed: list[str]) -> list[str]:
        """Why the next output is not the target; empty where it is."""
        if np.abs(motion.position - target.position).max() <= TOLERANCE:
            return []
        mean = (target.position - self._now.position) / self._period
        fast = (np.abs(mean) - self._kinematics.velocity_limit).max() * self._period > TOLERANCE
        return slowed or ["velocity" if fast else "acceleration"]

    def _begin(self, output: Candidate, stop: Stop) -> None:
        """Make a candidate the output; the stop begins there."""
        self._stop, self._stopping = stop, 0.0
        self._put(output)

    def _put(self, output: Candidate) -> None:
        self._now, self._tool = output.motion, output.tool
        self._check.begin(self._now, self._tool)

    def _brake(self, altered: list[str]) -> Filtered:
        """One period further along the stop that was found safe."""
        self._stopping += self._period
        self._put(self._candidate(self._stop.at(self._stopping)))
        return self._output(altered)

    def _output(self, altered: list[str]) -> Filtered:
        return Filtered(self._now.position.copy(), self._now.velocity.copy(), tuple(dict.fromkeys(altered)))
