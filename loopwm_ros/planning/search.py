"""The sampling planner: sample, score, update, until the time is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from loopwm_ros.errors import ConfigError
from loopwm_ros.planning.base import Objective, Planner
from loopwm_ros.planning.budget import Allocation, TimeBudget
from loopwm_ros.planning.cem import Cem
from loopwm_ros.planning.mppi import Mppi
from loopwm_ros.planning.policy import PolicyPlanner
from loopwm_ros.planning.sampling import sample_actions, shifted, smooth_basis, with_proposal
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import F32, F64, Plan, Rollout
from loopwm_ros.world_model.base import Clock, Policy, WorldModel


class Update(Protocol):
    """What distinguishes one sampling planner from another."""

    def weights(self, costs: F64) -> F64:
        """Share of each candidate in the next mean, (candidates,)."""
        ...

    def spread(self, spread: F32, actions: F32, nominal: F32, weights: F64) -> F32:
        """Standard deviation of the next refinement, (horizon, action_dim)."""
        ...


@dataclass(frozen=True)
class _Search:
    """Where a search stands."""

    plan: Plan
    spread: F32  # (horizon, action_dim)
    proposal: F32 | None = None  # other actions to look about, (horizon, action_dim)


class SamplingPlanner:
    """Implements `Planner`. The previous plan, shifted, is where each search starts.

    With a policy, the first refinement looks about that policy's own imagined future as well.
    """

    def __init__(
        self,
        settings: PlannerSettings,
        model: WorldModel,
        update: Update,
        clock: Clock = time.perf_counter,
        policy: Policy | None = None,
    ) -> None:
        self._settings = settings
        self._model = model
        self._policy = policy
        self._update = update
        self._clock = clock
        self._budget = TimeBudget(settings, model.rollout_seconds, clock)
        self._basis = smooth_basis(settings.horizon, settings.knots)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Forget the warm start; fix the random stream."""
        self._random = np.random.default_rng(seed)
        self._nominal = np.zeros((self._settings.horizon, self._model.spec.action_dim), dtype=np.float32)

    def plan(self, state: F32, objective: Objective, elapsed: int, deadline: float | None) -> Plan:
        """Best actions from `state` (tokens, width), by `deadline` on the planner's clock."""
        search = self._start(elapsed, self._propose(state, objective, deadline))
        for left in range(self._settings.refinements, 0, -1):
            allocation = self._budget.allocate(deadline, left)
            refined = allocation and self._refine(search, state, objective, allocation, deadline)
            if not refined:
                break
            search = refined
        self._nominal = search.plan.actions
        return search.plan

    def _propose(self, state: F32, objective: Objective, deadline: float | None) -> F32 | None:
        """The policy's actions (horizon, action_dim); None without one, without time, or if not finite."""
        if self._policy is None or not self._budget.allows_proposal(deadline):
            return None
        began = self._clock()
        proposal = self._policy.propose(state, objective.goal, self._settings.horizon)
        self._budget.proposed(self._clock() - began)
        return proposal if np.isfinite(proposal).all() else None

    def _start(self, elapsed: int, proposal: F32 | None) -> _Search:
        spec = self._model.spec
        actions = shifted(self._nominal, elapsed)
        loops = np.zeros(spec.max_loops + 1, dtype=np.int64)
        imagined = np.empty((0, len(spec.quantities)), dtype=np.float32)
        plan = Plan(actions, math.nan, 0, 0, loops, imagined)
        return _Search(plan, np.full_like(actions, self._settings.noise), proposal)

    def _refine(
        self,
        search: _Search,
        state: F32,
        objective: Objective,
        allocation: Allocation,
        deadline: float | None,
    ) -> _Search | None:
        """One refinement; None if the deadline cut its rollout short or no cost is finite."""
        began = self._clock()
        actions = self._sample(search, allocation.candidates)
        sampled = self._clock()
        rollout = self._model.rollout(
            state, actions, allocation.loops, self._budget.rollout_deadline(deadline)
        )
        rolled = self._clock()
        if not rollout.completed:
            self._budget.cut_short()
            return None
        costs = objective(rollout, actions)
        costs = np.where(np.isfinite(costs), costs, np.inf)
        refined = self._updated(search, actions, rollout, costs) if np.isfinite(costs).any() else None
        self._budget.measured(allocation, rolled - sampled, self._clock() - began)
        return refined

    def _sample(self, search: _Search, candidates: int) -> F32:
        """Candidates (candidates, horizon, action_dim)."""
        settings, random = self._settings, self._random
        actions = sample_actions(
            search.plan.actions, search.spread, self._basis, candidates, random, settings.bound
        )
        if search.proposal is None:
            return actions
        count, noise = settings.proposed, settings.proposed_noise
        return with_proposal(actions, search.proposal, count, noise, self._basis, random, settings.bound)

    def _updated(self, search: _Search, actions: F32, rollout: Rollout, costs: F64) -> _Search:
        weights = self._update.weights(costs)
        chosen = weights > 0
        shares = weights.astype(np.float32)
        nominal = np.einsum("c,cha->ha", shares, actions)
        plan = Plan(
            actions=nominal,
            cost=float(weights[chosen] @ costs[chosen]),
            candidates=len(actions),
            refinements=search.plan.refinements + 1,
            loops=search.plan.loops + rollout.loops,
            imagined=np.einsum("c,csq->sq", shares[chosen], rollout.readouts[chosen]),
        )
        return _Search(plan, self._update.spread(search.spread, actions, nominal, weights))


_UPDATES: dict[str, Callable[[PlannerSettings], Update]] = {"mppi": Mppi, "cem": Cem}


def make_planner(
    settings: PlannerSettings,
    model: WorldModel,
    clock: Clock = time.perf_counter,
    policy: Policy | None = None,
) -> Planner:
    """The planner that `settings.kind` names; `clock` is also the world model's.

    Raises:
        ConfigError: it needs a policy, and there is none.
    """
    if settings.kind != "policy" and settings.proposal == "none":
        policy = None
    elif policy is None and "policy" in (settings.kind, settings.proposal):
        raise ConfigError(
            "the model bundle has no policy; train it with a section 'policy' in the settings, "
            f"or use planner {' or '.join(_UPDATES)} with proposal none"
        )
    if settings.kind == "policy":
        assert policy is not None
        return PolicyPlanner(policy, model, settings.horizon)
    return SamplingPlanner(settings, model, _UPDATES[settings.kind](settings), clock, policy)
