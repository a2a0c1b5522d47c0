"""When an episode counts as solved. Uses the simulator's truth; never on a topic."""

from __future__ import annotations

from dataclasses import dataclass

from loopwm_ros.config import TaskConfig

ROUNDING = 1e-9  # of sums of servo periods [s]


@dataclass(frozen=True)
class Outcome:
    """How an episode ended. Distances are the task's own."""

    success: bool
    time: float  # start to the end of the first hold, or the time limit [s]
    final_distance: float  # [m]
    min_distance: float  # [m]
    precise_time: float | None = None  # start to the end of the first hold within `precise_distance` [s]


class EpisodeScore:
    """Success: the task's distance within `success_distance` for `success_hold`, in time.

    Where the task has a `precise_distance`, the episode goes on until that was held too, or the time is over.
    """

    def __init__(self, task: TaskConfig, start: float, after: float = 0.0) -> None:
        """`start` is the episode's begin [s]; holds begin `after` seconds from it at the earliest."""
        self._task, self._start = task, start
        self._success = Hold(task.success_distance, task.success_hold, start, after, task.time_limit)
        self._precise: Hold | None = None
        if task.precise_distance is not None:
            self._precise = Hold(task.precise_distance, task.success_hold, start, after, task.time_limit)
        self._min = float("inf")

    def update(self, now: float, distance: float) -> Outcome | None:
        """Judge the distance [m] at `now` [s]; an outcome ends the episode."""
        self._min = min(self._min, distance)
        holds = [hold for hold in (self._success, self._precise) if hold is not None]
        for hold in holds:
            hold.update(now, distance)
        elapsed = now - self._start
        if all(hold.held is not None for hold in holds):
            return self._outcome(elapsed, distance)
        if elapsed >= self._task.time_limit - ROUNDING:
            return self._outcome(elapsed, distance)
        return None

    def _outcome(self, elapsed: float, distance: float) -> Outcome:
        held = self._success.held
        return Outcome(
            success=held is not None,
            time=elapsed if held is None else held,
            final_distance=distance,
            min_distance=self._min,
            precise_time=self._precise.held if self._precise else None,
        )


class Hold:
    """Notes when a distance was first held long enough, in time."""

    def __init__(self, near: float, duration: float, start: float, after: float, limit: float) -> None:
        self._near, self._duration = near, duration
        self._start, self._after, self._limit = start, after, limit
        self._since: float | None = None
        self.held: float | None = None  # [s] from the start

    def update(self, now: float, distance: float) -> bool:
        """Whether the distance [m] is held long enough at `now` [s], in time."""
        elapsed = now - self._start
        if not distance <= self._near or elapsed < self._after - ROUNDING:  # NaN is not near
            self._since = None
        elif self._since is None:
            self._since = now
        held = self._since is not None and now - self._since >= self._duration - ROUNDING
        if not held or elapsed > self._limit + ROUNDING:
            return False
        if self.held is None:
            self.held = elapsed
        return True
