"""Out of the camera's way while the goal is not seen: an arm that hides its goal would else wait for ever."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config.task import LookConfig
from loopwm_ros.types import F64

THERE = 0.01  # from a point, where the next one's turn comes [m]
GAIN = 3.0  # speed per distance, near a point [1/s]


class Looking:
    """From one point to the next, each once; then it stays, for something else hides the goal.

    The tool keeps its height.
    """

    def __init__(self, settings: LookConfig | None) -> None:
        """None: never moves."""
        self._settings = settings
        self._since: float | None = None
        self._left: list[F64] = []

    def clear(self) -> None:
        """There is a goal, or none is looked for."""
        self._since = None

    def velocity(self, now: float, tool: F64) -> F64:
        """Tool velocity (3,) [m/s] at `now` [s], from where the tool (3,) is, base frame [m]."""
        if self._settings is None:
            return np.zeros(3)
        if self._since is None:
            self._since = now
            self._left = [np.array(point) for point in self._settings.points]
            self._left.sort(key=lambda point: float(np.linalg.norm(point - tool[:2])))
        if now - self._since < self._settings.after:
            return np.zeros(3)
        if self._left and np.linalg.norm(self._left[0] - tool[:2]) < THERE:
            del self._left[0]
        if not self._left:
            return np.zeros(3)
        way = self._left[0] - tool[:2]
        distance = float(np.linalg.norm(way))
        return np.append(way / distance * min(self._settings.speed, GAIN * distance), 0.0)
