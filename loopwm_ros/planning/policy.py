"""No search: what the policy proposes is the plan."""

from __future__ import annotations

import math

import numpy as np

from loopwm_ros.planning.base import Objective
from loopwm_ros.types import F32, Plan
from loopwm_ros.world_model.base import Policy, WorldModel


class PolicyPlanner:
    """Implements `Planner`. The model imagines the plan once more to read out where it leads.

    That read-out is the first thing to go when time is short; then the plan has no cost.
    """

    def __init__(self, policy: Policy, model: WorldModel, steps: int) -> None:
        """`steps`: actions of a plan."""
        self._policy, self._model, self._steps = policy, model, steps

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def plan(self, state: F32, objective: Objective, elapsed: int, deadline: float | None) -> Plan:  # noqa: ARG002
        """The policy's actions from `state` (tokens, width) on; stand still where they are not finite."""
        actions = self._policy.propose(state, objective.goal, self._steps)
        if not np.isfinite(actions).all():
            actions = np.zeros_like(actions)
        rollout = self._model.rollout(state, actions[None], 0, deadline)
        if not rollout.completed:
            unread = np.empty((0, len(self._model.spec.quantities)), dtype=np.float32)
            return Plan(actions, math.nan, 1, 0, rollout.loops, unread)
        cost = float(objective(rollout, actions[None])[0])
        return Plan(actions, cost, 1, 1, rollout.loops, rollout.readouts[0])
