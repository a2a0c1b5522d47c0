"""When an episode counts as solved. Uses the simulator's truth; never on a topic."""

from __future__ import annotations

from dataclasses import dataclass

from loopwm_ros.config import TaskConfig

ROUNDING = 1e-9  # of sums of servo periods [s]


@dataclass(frozen=True)
class Outcome:
    """How an episode ended."""

    success: bool
    time: float  # start to the end of the hold, or the time limit [s]
    final_distance: float  # [m]
    min_distance: float  # [m]


class EpisodeScore:
    """Success: the tool within `success_distance` of the ball's surface for `success_hold`, in time."""

    def __init__(self, task: TaskConfig, start: float) -> None:
        """`start` is the episode's begin [s]."""
        self._task, self._start = task, start
        self._since: float | None = None
        self._min = float("inf")

    def update(self, now: float, distance: float) -> Outcome | None:
        """Judge the distance [m] at `now` [s]; an outcome ends the episode."""
        self._min = min(self._min, distance)
        if not distance <= self._task.success_distance:  # NaN is not near
            self._since = None
        elif self._since is None:
            self._since = now
        elapsed, limit = now - self._start, self._task.time_limit
        held = self._since is not None and now - self._since >= self._task.success_hold - ROUNDING
        if held and elapsed <= limit + ROUNDING:
            return Outcome(True, elapsed, distance, self._min)
        if elapsed >= limit - ROUNDING:
            return Outcome(False, elapsed, distance, self._min)
        return None
