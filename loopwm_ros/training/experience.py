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

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.config import TaskConfig
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import evaluate
from loopwm_ros.training.model import LoopWM, fixed_loops, noise_state
from loopwm_ros.training.policy import Decisions
from loopwm_ros.training.rollout import unroll
from loopwm_ros.training.settings import PolicySettings
from loopwm_ros.training.windows import Indices, draw, windows_at
from loopwm_ros.types import F32

CHUNK = 256  # windows filtered at a time
CONTACT = 0.002  # least way of the moved point in one transition that counts as moving [m]


@dataclass(frozen=True)
class Experience:
    """Moments of recordings with all goals they may be given. Rows are moments."""

    states: Tensor  # filtered, or imagined a few steps on, (moments, tokens, width)
    actions: Tensor  # (moments, action_dim)
    moves: NDArray[np.bool_]  # whether the moved point moves meanwhile, (moments,)
    reached: Tensor  # where it came to be after each span, (moments, spans, 3) [m]
    hindsight: Indices  # (row, span) of those goals that are far enough, (pairs, 2)
    marks: Tensor  # (moments, 3) [m]
    marked: Indices  # rows in episodes that end at the mark

    def draw(self, size: int, mark_share: float, generator: torch.Generator) -> tuple[Indices, Decisions]:
        """Rows and batch of `size` moments, a share of them with the mark for a goal."""
        count = round(size * mark_share) if len(self.marked) else 0
        count = count if len(self.hindsight) else size
        marked = draw(self.marked, count, generator)
        row, span = draw(self.hindsight, size - count, generator).T
        rows = np.concatenate([marked, row])
        goals = torch.cat([self.marks[marked], self.reached[row, span]])
        return rows, Decisions(self.states[rows], goals, self.actions[rows])


def gather(
    model: LoopWM, data: Dataset, spec: ModelSpec, task: TaskConfig, settings: PolicySettings, episodes: Indices
) -> Experience:
    """All moments of some episodes.

    Raises:
        ConfigError: nothing in them may serve as a goal.
    """
    frames = _windows(data, spec, settings, episodes)
    kept, states, actions = _moments(model, data, spec, settings, frames)
    spans = np.arange(settings.hindsight[0], settings.hindsight[1] + 1)
    stride = data.stride_frames(spec.model_period)
    here = _points(data, spec.columns(task.moved))
    ends = data.offsets[1:][np.searchsorted(data.offsets, kept, side="right") - 1]
    later = kept[:, None] + stride * spans
    inside = later < ends[:, None]
    reached = here.at(np.where(inside, later, kept[:, None]))
    far = np.linalg.norm(reached - here.at(kept)[:, None], axis=2) > settings.least_way
    known = here.known[kept][:, None] & here.known[np.where(inside, later, kept[:, None])]
    marks = _points(data, spec.columns(task.goal))
    target = marks.values + np.asarray(task.goal_offset, dtype=np.float32)
    arrived = np.linalg.norm(here.values - target, axis=1)[ends - 1] < settings.arrived
    arrived &= here.known[ends - 1] & marks.known[ends - 1] & marks.known[kept]
    step = here.at(np.minimum(kept + stride, ends - 1)) - here.at(kept)
    experience = Experience(
        states,
        actions,
        np.linalg.norm(step, axis=1) > CONTACT,
        torch.from_numpy(reached),
        np.argwhere(inside & far & known),
        torch.from_numpy(target[kept]),
        np.flatnonzero(arrived),
    )
    if not len(experience.hindsight) and not len(experience.marked):
        raise ConfigError(
            f"in no recording '{task.moved}' moves by {settings.least_way:g} m or ends at '{task.goal}'; "
            "there is nothing to clone: collect episodes that solve the task, or leave out the section 'policy'"
        )
    return experience
