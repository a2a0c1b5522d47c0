"""Episodes of the sim node: how each is set up, what goes wrong in it, how it is scored."""

from __future__ import annotations

from pathlib import Path

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.disturb import DISTURBANCES, Disturbance
from loopwm_ros.config import TaskConfig
from loopwm_ros.nodes.score_log import ScoreLog
from loopwm_ros.nodes.sim_goal import SimGoal
from loopwm_ros.nodes.sim_settings import SimSettings
from loopwm_ros.validation.stage import drawn


class SimEpisodes:
    """One episode after the other in a cell; each begins with the first command that reaches the arm."""

    def __init__(self, cell: BulletCell, task: TaskConfig, goal: SimGoal, settings: SimSettings) -> None:
        self._cell, self._task, self._goal, self._settings = cell, task, goal, settings
        self._scores: ScoreLog | None = None
        if settings.score_path:
            self._scores = ScoreLog(Path(settings.score_path), task)
        self._disturbance: Disturbance | None = None
        self._began: float | None = None
        self.index = 0

    @property
    def seed(self) -> int:
        """Of the present episode."""
        return self._settings.seed + self.index

    def set_up(self, index: int, start: float) -> None:
        """Lay out episode `index` at time `start` [s]."""
        self.index, self._began = index, None
        self._cell.reset(self.seed, start, self._goal.hidden)
        self._disturbance = self._drawn()
        self._goal.give(self._cell)
        if self._scores:
            self._scores.expect(index, self.seed, self._disturbance)

    def before_step(self, commanded: bool) -> None:
        """A servo period begins; `commanded`: a command has reached the arm this episode."""
        if self._began is None and commanded:
            self._began = self._cell.now
        if self._began is None or self._disturbance is None:
            return
        before = self._goal.place(self._cell)
        self._disturbance.update(self._cell, self._task, self._cell.now - self._began)
        if (self._goal.place(self._cell) != before).any():
            self._goal.give(self._cell)

    def after_step(self) -> None:
        """A servo period is over."""
        if self._scores and self._began is not None:
            self._scores.update(self._cell.now, self._cell.truth())

    def close(self) -> None:
        """No more scores."""
        if self._scores:
            self._scores.close()

    def _drawn(self) -> Disturbance | None:
        name = self._settings.disturbance
        if name == "none":
            return None
        made = drawn(DISTURBANCES[self.index % len(DISTURBANCES)] if name == "all" else name, self.seed)
        made.at = self._settings.disturbance_at or made.at
        return made
