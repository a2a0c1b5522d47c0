"""Where the tool, or what it moves, should go: seen in recent frames, given, or shown in an image."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from loopwm_ros.config import Box, Settings, TaskConfig
from loopwm_ros.config.task import TOOL
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F64, Encoding

GoalSource = Literal["seen", "position", "image"]


class GoalSettings(Settings):
    """Where the goal comes from, and how readings become one."""

    source: GoalSource = "seen"  # readings count for a goal that is to be seen, and for no other
    window: int = Field(100, ge=1, description="readings kept: what is hidden was seen well before")
    max_std: float = Field(0.05, gt=0, description="the encoder's 1-sigma above which none is used [m]")
    minimum: int = Field(2, ge=1, description="readings needed before there is a goal")
    accuracy: float = Field(
        0.005, gt=0, description="1-sigma of what readings are off beside the encoder's own [m]"
    )
    moved_after: int = Field(6, ge=1, description="readings in a row that agree on another place")
    moved_sigma: float = Field(2.0, gt=0, description="what is another place, in 1-sigma of the difference")

    @model_validator(mode="after")
    def _room(self) -> GoalSettings:
        if self.moved_after >= self.window:
            raise ValueError(f"moved_after {self.moved_after} must be below the window of {self.window}")
        return self


def _median(readings: F64, variances: F64) -> F64:
    """Median (3,) along each axis of `readings` (m, 3), weighed by the inverse of `variances` (m,).

    NumPy has this from 2.0 on (`quantile`, method `inverted_cdf`); ROS 2 distributions come with 1.26.
    """
    order = np.argsort(readings, axis=0)
    below = np.cumsum((1.0 / variances)[order], axis=0)
    middle = np.argmax(below >= below[-1] / 2, axis=0)
    columns = np.arange(readings.shape[1])
    return np.asarray(readings[order[middle, columns], columns])


class GoalTracker:
    """Median of the readings, each with the weight of its certainty, until the goal is seen to have moved.

    One wrong frame cannot move it; nor can many in which it is half hidden, as the encoder doubts those.
    Where the encoder is sure to 5 mm, a move of 2 cm is another place after `moved_after` readings; a smaller
    one is followed as the window fills.

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
        self._variances: deque[float] = deque(maxlen=self._settings.window)
        self._estimate: F64 | None = None  # of the readings
        self._given: F64 | None = None

    def clear(self) -> None:
        """Forget all readings; a given goal stays."""
        self._readings.clear()
        self._variances.clear()
        self._estimate = None

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
        std = float(np.max(encoding.std[self._index]))
        if self._settings.source != "seen" or not std <= self._settings.max_std:
            return
        self._readings.append(np.asarray(encoding.reading[self._index], dtype=np.float64))
        self._variances.append(std**2 + self._settings.accuracy**2)
        self._forget_if_moved()
        if len(self._readings) >= self._settings.minimum:
            self._estimate = _median(np.asarray(self._readings), np.asarray(self._variances))

    def _forget_if_moved(self) -> None:
        """Drop the readings before the last few, where those agree with each other and not with the rest."""
        last = self._settings.moved_after
        if len(self._readings) <= last:
            return
        readings, variances = np.asarray(self._readings), np.asarray(self._variances)
        now = _median(readings[-last:], variances[-last:])
        before = _median(readings[:-last], variances[:-last])
        both = np.median(variances[-last:]) + 1.0 / np.mean(1.0 / variances[:-last])
        far = self._settings.moved_sigma * math.sqrt(both)
        apart = np.linalg.norm(readings[-last:] - now, axis=1).max()
        if np.linalg.norm(now - before) > far and apart < far:
            for _ in range(len(readings) - last):
                self._readings.popleft()
                self._variances.popleft()

    @property
    def seen(self) -> F64 | None:
        """The goal's position (3,), seen or given, in the base frame [m]; None while there is none."""
        return self._estimate if self._given is None else self._given

    @property
    def missing(self) -> bool:
        """Whether a goal is to be seen, and has not been."""
        return self._settings.source == "seen" and self.seen is None

    @property
    def beside(self) -> str:
        """Where the goal is seen, if that is beside the workspace; else an empty string."""
        return self._beside(self.seen)

    @property
    def target(self) -> F64 | None:
        """Where to bring tool or object (3,) in the base frame [m]; None while there is no goal."""
        seen = self.seen
        return None if seen is None or self._beside(seen) else seen + self._offset
