"""Where the tool should go, from the encoder's readings of recent frames."""

from __future__ import annotations

from collections import deque

import numpy as np

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.config import Settings, TaskConfig
from loopwm_ros.types import F64, Encoding


class GoalSettings(Settings):
    """How readings become a goal."""

    window: int = 15  # readings kept
    max_std: float = 0.05  # the encoder's own 1-sigma above which a reading is not used [m]
    minimum: int = 2  # readings needed before there is a goal


class GoalTracker:
    """Median of the confident readings: one wrong or occluded frame cannot move the goal."""

    def __init__(self, task: TaskConfig, spec: ModelSpec, settings: GoalSettings | None = None) -> None:
        """Readings are those of the task's goal.

        Raises:
            MismatchError: the model does not read out the goal.
        """
        self._settings = settings or GoalSettings()
        self._index = spec.columns(task.goal)
        self._offset = np.asarray(task.goal_offset)
        self._readings: deque[F64] = deque(maxlen=self._settings.window)

    def clear(self) -> None:
        """Forget all readings."""
        self._readings.clear()

    def add(self, encoding: Encoding) -> None:
        """Use one frame's reading, unless the encoder itself doubts it."""
        if float(np.max(encoding.std[self._index])) <= self._settings.max_std:
            self._readings.append(np.asarray(encoding.reading[self._index], dtype=np.float64))

    @property
    def seen(self) -> F64 | None:
        """The goal object's position (3,) in the base frame [m]; None while it is not seen."""
        if len(self._readings) < self._settings.minimum:
            return None
        return np.asarray(np.median(np.asarray(self._readings), axis=0))

    @property
    def target(self) -> F64 | None:
        """Where to bring the tool (3,) in the base frame [m]; None while the goal is not seen."""
        seen = self.seen
        return None if seen is None else seen + self._offset
