"""Is a stop safe? Joint ranges, tool box, tool speed, and what the arm comes near on the way."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.clearance import Clearance
from loopwm_ros.control.jerk_limited import Motion, Stop, at_rest
from loopwm_ros.control.kinematics import Kinematics, Tool
from loopwm_ros.types import F64

POINTS = (
    np.linspace(0.0, 1.0, 19) ** 2
)  # of a stop that are looked at, as shares of its time: most at its start
BETWEEN = np.diff(POINTS)
WIDEST = float(BETWEEN.max())
TOOL = slice(None, None, 2)  # of these, where the tool is looked at
FAST = 0.97  # share of the tool's speed limit at these points; it may be faster between them
SLOWING = 1e-6  # a tool that is too fast must get slower by this share each period
INWARD = 1e-6  # a tool outside the workspace must come nearer by this each period [m]
ROUNDING = 1e-9  # [rad], [m], [m/s]


class StopCheck:
    """Checks stops against what holds where the arm now is: what is wrong already may get better only."""

    def __init__(self, kinematics: Kinematics, arm: ArmConfig) -> None:
        """Raises ConfigError: the arm at home is too near a keep-out box."""
        self._kinematics, self._tool_speed = kinematics, arm.tool_speed
        self._low, self._high = np.asarray(arm.workspace.low), np.asarray(arm.workspace.high)
        self._bend = np.minimum.outer(kinematics.tool_levers, kinematics.tool_levers)  # [m/rad^2], (n, n)
        self._clearance = Clearance(arm, kinematics)
        self.begin(at_rest(kinematics.home), kinematics.tool(kinematics.home))

    def begin(self, now: Motion, tool: Tool) -> None:
        """The arm is here now, and its tool there."""
        k = self._kinematics
        self._position = now.position
        self._lowest = np.minimum(k.lower, now.position) - ROUNDING
        self._highest = np.maximum(k.upper, now.position) + ROUNDING
        self._deepest = max(0.0, self._outside(tool.place) - INWARD)
        self._fastest = max(FAST * self._tool_speed, (1.0 - SLOWING) * tool.speed(now.velocity))

    def danger(self, stop: Stop, tool: Tool) -> str:
        """What is wrong with going to where a stop begins and then stopping; empty if nothing is.

        `tool` is where it is as the stop begins.
        """
        positions, velocities = stop.path(stop.duration * POINTS)
        if stop.together and self._too_fast(velocities, stop.duration * BETWEEN):
            return "velocity"
        if self._leaves_range(positions, stop.duration * WIDEST):
            return "position"
        if wrong := self._tool_danger(tool, positions[TOOL], velocities[TOOL]):
            return wrong
        near = self._clearance.blocked(np.concatenate((self._position[None], positions)))
        return "" if near is None else f"too near: {near}"

    def _too_fast(self, velocities: F64, between: F64) -> bool:
        """Are joints too fast on a path (m, n) [rad/s] of points that are `between` (m - 1,) [s] apart?

        Between two points a velocity goes beyond the further one by j dt^2 / 8 at most, at jerk j.
        """
        if len(velocities) == 1:
            return False
        speeds = np.abs(velocities)
        beyond = np.outer(between**2 / 8.0, self._kinematics.jerk_limit)
        most = np.maximum(speeds[1:], speeds[:-1]) + beyond
        return not bool((most <= self._kinematics.velocity_limit + ROUNDING).all())

    def _leaves_range(self, positions: F64, spacing: float) -> bool:
        """Do the joints leave their ranges on a path (m, n) of points that are up to `spacing` [s] apart?

        Between two points a joint goes beyond the further one by a dt^2 / 8 at most, at acceleration a.
        """
        beyond = self._kinematics.acceleration_limit * (spacing**2 / 8.0)
        low, high = positions.min(axis=0) - beyond, positions.max(axis=0) + beyond
        return not bool((low >= self._lowest).all() and (high <= self._highest).all())

    def _tool_danger(self, start: Tool, positions: F64, velocities: F64) -> str:
        """What is wrong with the tool at points of a path (m, n) [rad], [rad/s]; empty if nothing is.

        It is placed only where the Jacobian at the start does not show that all is well, or that it is not.
        """
        outside, at_most_off, speed = self._estimate(start, positions, velocities)
        well = (outside + at_most_off <= self._deepest - ROUNDING) & (speed <= self._fastest - ROUNDING)
        if well.all():
            return ""
        if not (outside - at_most_off <= self._deepest + ROUNDING).all():
            return "workspace"
        points = zip(positions[~well], velocities[~well], strict=True)
        tools = [self._kinematics.tool_motion(*point) for point in points]
        if not all(self._outside(place) <= self._deepest for place, _ in tools):
            return "workspace"
        return "" if all(speed <= self._fastest for _, speed in tools) else "tool speed"

    def _estimate(self, start: Tool, positions: F64, velocities: F64) -> tuple[F64, F64, F64]:
        """Of the tool at points of a path (m, n), what the Jacobian at its start says, (m,) each.

        How far it is outside the workspace (negative: inside), how wrong that may be, and how fast it is at
        most. With joint j turned by d_j, column i of the Jacobian has changed by sum_j l_ij |d_j| at most,
        where l_ij is the lever arm of the outer one of the two joints. So the tool is within sum_ij |d_i|
        l_ij |d_j| / 2 of where the Jacobian says, and its velocity, of joints turning at v_i, within
        sum_ij |v_i| l_ij |d_j|.
        """
        turns, linear = positions - positions[0], start.linear.T
        amounts = np.abs(turns)
        bend = amounts @ self._bend
        places, speeds = start.place + turns @ linear, velocities @ linear
        outside = np.maximum(self._low - places, places - self._high).max(axis=1)
        fastest = np.sqrt((speeds * speeds).sum(axis=1)) + (np.abs(velocities) * bend).sum(axis=1)
        return outside, (amounts * bend).sum(axis=1) / 2.0, fastest

    def _outside(self, tool: F64) -> float:
        """How far a tool position (3,) is outside the workspace box [m]; 0 inside."""
        outside = float(np.maximum(self._low - tool, tool - self._high).max())
        return 0.0 if outside <= 0.0 else outside  # NaN stays NaN, which is never inside
