"""Where the tool, or what it moves, should go: seen in recent frames, given, or shown in an image."""

from __future__ import annotations

from collections import deque
from typing import Literal

import numpy as np

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.config import Box, Settings, TaskConfig
from loopwm_ros.config.task import TOOL
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.types import F64, Encoding

GoalSource = Literal["seen", "position", "image"]


class GoalSettings(Settings):
    """Where the goal comes from, and how readings become one."""

    source: GoalSource = "seen"  # readings count for a goal that is to be seen, and for no other
    window: int = 15  # readings kept
    max_std: float = 0.05  # the encoder's own 1-sigma above which a reading is not used [m]
    minimum: int = 2  # readings needed before there is a goal


class GoalTracker:
    """Median of the confident readings: one wrong or occluded frame cannot move the goal.

    A goal that was given or shown holds until it is taken back; readings are then not used. Nothing is a
    goal that lies beside the workspace, seen from above.
    """

    def __init__(
        self, task: TaskConfig, spec: ModelSpec, workspace: Box, settings: GoalSettings | None = None
    ) -> None:
        """Readings are those of the task's goal.

        Raises:
            MismatchError: the model does not read out the goal, or what is to be brought there.
        """
        self._settings = settings or GoalSettings()
        self._task = task
        self._index, self._moved = spec.columns(task.goal), spec.columns(task.moved)
        self._offset = np.asarray(task.goal_offset)
        self._low, self._high = np.asarray(workspace.low), np.asarray(workspace.high)
        self._readings: deque[F64] = deque(maxlen=self._settings.window)
        self._given: F64 | None = None

    def clear(self) -> None:
        """Forget all readings; a given goal stays."""
        self._readings.clear()

    def give(self, position: F64 | None) -> None:
        """Take this goal (3,) in the base frame [m]; None: none, or what is seen where it is to be seen.

        Raises:
            ConfigError: not three finite numbers.
            SensorError: it lies beside the workspace.
        """
        if position is not None and not (np.shape(position) == (3,) and np.isfinite(position).all()):
            raise ConfigError(f"the goal is {np.asarray(position).tolist()}; expected x, y and z [m], finite")
        self._take(None if position is None else np.array(position, dtype=np.float64))

    def show(self, encoding: Encoding) -> None:
        """Bring the moved object to where an image shows it, whatever the task's offset from its goal.

        Raises:
            ConfigError: the tool itself is what is moved.
            SensorError: the encoder does not find the object there, or finds it beside the workspace.
        """
        if self._task.moved == TOOL:
            raise ConfigError(
                f"task '{self._task.name}' moves the tool; a goal image needs an object that is moved"
            )
        std = float(np.max(encoding.std[self._moved]))
        if not std <= self._settings.max_std:
            raise SensorError(
                f"the goal image does not show '{self._task.moved}' clearly (1-sigma {std * 100:.1f} cm, "
                f"at most {self._settings.max_std * 100:g} cm); take it anew with nothing in front of it"
            )
        self._take(np.asarray(encoding.reading[self._moved], dtype=np.float64) - self._offset)

    def _take(self, position: F64 | None) -> None:
        if reason := self._beside(position):
            raise SensorError(f"the goal is {reason}")
        self._given = position

    def _beside(self, position: F64 | None) -> str:
        """Where a position is, if that is beside the workspace; else an empty string."""
        if position is None or ((self._low <= position) & (position <= self._high))[:2].all():
            return ""
        low, high = self._low, self._high
        return (
            f"at x {position[0]:.3f}, y {position[1]:.3f} m, beside the arm's workspace: "
            f"x {low[0]:g} to {high[0]:g}, y {low[1]:g} to {high[1]:g} m"
        )

    def add(self, encoding: Encoding) -> None:
        """Use one frame's reading, unless the goal is to be given, or the encoder itself doubts it."""
        if (
            self._settings.source == "seen"
            and float(np.max(encoding.std[self._index])) <= self._settings.max_std
        ):
            self._readings.append(np.asarray(encoding.reading[self._index], dtype=np.float64))

    @property
    def seen(self) -> F64 | None:
        """The goal's position (3,), seen or given, in the base frame [m]; None while there is none."""
        if self._given is not None:
            return self._given
        if len(self._readings) < self._settings.minimum:
            return None
        return np.asarray(np.median(np.asarray(self._readings), axis=0))

    @property
    def beside(self) -> str:
        """Where the goal is seen, if that is beside the workspace; else an empty string."""
        return self._beside(self.seen)

    @property
    def target(self) -> F64 | None:
        """Where to bring tool or object (3,) in the base frame [m]; None while there is no goal."""
        seen = self.seen
        return None if seen is None or self._beside(seen) else seen + self._offset
