"""Is a stop safe? Joint ranges, tool box, tool speed, and what the arm comes near on the way."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.clearance import Clearance
from loopwm_ros.control.jerk_limited import Motion, Stop, at_rest
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.types import F64

POINTS = (
    np.linspace(0.0, 1.0, 19) ** 2
)  # of a stop that are looked at, as shares of its time: most at its start
WIDEST = float(np.diff(POINTS).max())
TOOL = slice(None, None, 2)  # of these, where the tool is looked at
FAST = 0.97  # share of the tool's speed limit at these points; it may be faster between them
SLOWING = 1e-6  # a tool that is too fast must get slower by this share each period
INWARD = 1e-6  # a tool outside the workspace must come nearer by this each period [m]
ROUNDING = 1e-9  # [rad]


class StopCheck:
    """Checks stops against what holds where the arm now is: what is wrong already may get better only."""

    def __init__(self, kinematics: Kinematics, arm: ArmConfig) -> None:
        """Raises ConfigError: the arm at home is too near a keep-out box."""
        self._kinematics, self._tool_speed = kinematics, arm.tool_speed
        self._low, self._high = np.asarray(arm.workspace.low), np.asarray(arm.workspace.high)
        self._clearance = Clearance(arm, kinematics)
        self.begin(at_rest(kinematics.home))

    def begin(self, now: Motion) -> None:
        """The arm is here now."""
        self._position = now.position
        tool, self._speed = self._kinematics.tool_motion(now.position, now.velocity)
        self._outside = self._depth(tool)

    def danger(self, stop: Stop) -> str:
        """What is wrong with going to where a stop begins and then stopping; empty if nothing is."""
        positions, velocities = stop.path(stop.duration * POINTS)
        if self._leaves_range(positions, stop.duration * WIDEST):
            return "position"
        tools = [
            self._kinematics.tool_motion(q, v) for q, v in zip(positions[TOOL], velocities[TOOL], strict=True)
        ]
        if self._depth(np.array([place for place, _ in tools])) > max(0.0, self._outside - INWARD):
            return "workspace"
        if max(speed for _, speed in tools) > max(FAST * self._tool_speed, (1.0 - SLOWING) * self._speed):
            return "tool speed"
        near = self._clearance.blocked(np.vstack([self._position, positions]))
        return "" if near is None else f"too near: {near}"

    def _leaves_range(self, positions: F64, spacing: float) -> bool:
        """Do the joints leave their ranges on a path (m, n) of points that are up to `spacing` [s] apart?

        Between two points a joint goes beyond the further one by a dt^2 / 8 at most, at acceleration a.
        """
        k = self._kinematics
        beyond = k.acceleration_limit * spacing**2 / 8.0
        lowest, highest = np.minimum(k.lower, self._position), np.maximum(k.upper, self._position)
        low, high = positions.min(axis=0) - beyond, positions.max(axis=0) + beyond
        return bool(np.any(low < lowest - ROUNDING) or np.any(high > highest + ROUNDING))

    def _depth(self, tools: F64) -> float:
        """How far the farthest of tool positions (..., 3) is outside the workspace box [m]; 0 inside."""
        return max(0.0, float((self._low - tools).max()), float((tools - self._high).max()))
