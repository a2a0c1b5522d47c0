"""The last stage of a run, if asked for: a policy cloned on states of the frozen encoder and core."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loopwm_ros.config import load_task
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.experience import Experience, gather
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.policy import Actor, CloningLoss, Decisions
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.stages import Group
from loopwm_ros.training.windows import Indices
from loopwm_ros.types import F32

CHUNK = 1024


class PolicyStage:
    """`pi` on moments of the recordings, each with a goal that was reached from it."""

    name = "policy"

    def __init__(self, settings: TrainSettings, spec: ModelSpec, data: Dataset, model: LoopWM) -> None:
        """Gives the model its policy; everything else in it stays as it is."""
        assert settings.policy is not None
        self.settings, self.model, self.policy = settings.policy.stage, model, settings.policy
        self._task = load_task(settings.task)
        torch.manual_seed(settings.seed)  # the same start whether or not the run was interrupted
        model.add_policy(settings, spec, self._task)
        model.requires_grad_(False)
        model.actor.policy.requires_grad_(True)
        self.loss = CloningLoss(model.actor)
        self._spec, self._data = spec, data
        self._episodes = data.split(settings.held_out, settings.split_seed)

    @cached_property
    def _train(self) -> Experience:
        return self._gather(0)

    @cached_property
    def _held_out(self) -> tuple[Experience, Indices, Tensor]:
        """Held-out moments, and some of them with goals: always the same."""
        experience = self._gather(1)
        return experience, *experience.draw(self.policy.evaluation_moments, torch.Generator().manual_seed(0))

    def _gather(self, part: int) -> Experience:
        return gather(self.model, self._data, self._spec, self._task, self.policy, self._episodes[part])

    def groups(self) -> list[Group]:
        return [Group(list(self.model.actor.policy.parameters()))]

    def batch(self, step: int, size: int, generator: torch.Generator) -> tuple[Any, ...]:  # noqa: ARG002
        return (self._train.batch(size, generator),)

    def evaluate(self, model: LoopWM) -> dict[str, float]:
        experience, rows, goal = self._held_out
        decisions, moving = experience.decisions(rows, goal), experience.moving[rows]
        said = answers(model.actor, decisions)
        metrics: dict[str, float] = {}
        for name, chosen in (("moving", moving), ("still", ~moving)):
            metrics |= agreement(f"policy_{name}", said[chosen], decisions.action.numpy()[chosen])
        return metrics


@torch.no_grad()
def answers(actor: Actor, decisions: Decisions) -> F32:
    """What the policy would do, (batch, action_dim)."""
    device = next(actor.parameters()).device
    pairs = zip(decisions.state.split(CHUNK), decisions.goal.split(CHUNK), strict=True)
    return torch.cat([actor(state.to(device), goal.to(device)).cpu() for state, goal in pairs]).numpy()


def agreement(name: str, said: F32, done: F32) -> dict[str, float]:
    """Mean absolute error of actions, and the share of their variance that is explained."""
    if not len(done):
        return {}
    unexplained = np.square(said - done).sum() / max(float(np.square(done - done.mean(0)).sum()), 1e-12)
    return {f"{name}_mae": float(np.abs(said - done).mean()), f"{name}_r2": float(1 - unexplained)}
