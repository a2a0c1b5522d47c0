"""What the policy learns from: states of the frozen model, the actions that followed, and goals for them.

A goal is where the moved point came to be some steps later (hindsight), so that every recording that moves it
teaches something; or the task's mark, in episodes that end there, which teach to stop as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loopwm_ros.config import TaskConfig
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.hindsight import Goals, find_goals
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.moments import Moments, find_moments
from loopwm_ros.training.policy import Decisions
from loopwm_ros.training.settings import PolicySettings
from loopwm_ros.training.windows import Indices, draw

MOVING = 0.002  # least way of the moved point in one transition that counts as moving [m]


@dataclass(frozen=True)
class Experience:
    """Moments, and the goals that each of them may be given."""

    moments: Moments
    goals: Goals
    mark_share: float  # of a batch

    @property
    def moving(self) -> NDArray[np.bool_]:
        """At which moments the moved point is about to move, (moments,)."""
        return np.asarray(self.goals.way > MOVING)

    def draw(self, size: int, generator: torch.Generator) -> tuple[Indices, Tensor]:
        """Moments and goals: rows (size,) and positions (size, 3) [m]."""
        goals = self.goals
        count = round(size * self.mark_share) if len(goals.pairs) else size
        count = count if len(goals.marked) else 0
        marked = draw(goals.marked, count, generator)
        row, span = draw(goals.pairs, size - count, generator).T
        positions = np.concatenate([goals.marks[marked], goals.reached[row, span]])
        return np.concatenate([marked, row]), torch.from_numpy(positions)

    def batch(self, size: int, generator: torch.Generator) -> Decisions:
        """Drawn moments with their goals."""
        rows, goal = self.draw(size, generator)
        return self.decisions(rows, goal)

    def decisions(self, rows: Indices, goal: Tensor) -> Decisions:
        """Some moments with goals (rows, 3) [m]."""
        return Decisions(self.moments.states[rows], goal, self.moments.actions[rows])


def gather(
    model: LoopWM,
    data: Dataset,
    spec: ModelSpec,
    task: TaskConfig,
    settings: PolicySettings,
    episodes: Indices,
) -> Experience:
    """All that some episodes teach.

    Raises:
        ConfigError: nothing in them can serve as a goal.
    """
    moments = find_moments(model, data, spec, settings, episodes)
    goals = find_goals(data, spec, task, settings, moments.frames)
    if not len(goals.pairs) and not len(goals.marked):
        raise ConfigError(
            f"in no recording '{task.moved}' moves by {settings.least_way:g} m or ends at '{task.goal}': "
            "collect episodes that do, or leave out the section 'policy'"
        )
    return Experience(moments, goals, settings.mark_share)
