"""What the receding horizon needs of a planner, and a planner of its objective."""

from __future__ import annotations

from typing import Protocol

from loopwm_ros.types import F32, F64, Plan, Rollout


class Objective(Protocol):
    """Scores imagined futures. One per planning cycle; knows the goal."""

    @property
    def goal(self) -> F64:
        """Where the moved point should be, base frame [m], (3,)."""
        ...

    def __call__(self, rollout: Rollout, actions: F32) -> F64:
        """Cost (candidates,) of rollouts of `actions` (candidates, horizon, action_dim)."""
        ...


class Planner(Protocol):
    """Answers with a plan by its deadline, always."""

    def reset(self, seed: int) -> None:
        """Forget the warm start; fix the random stream."""
        ...

    def plan(self, state: F32, objective: Objective, elapsed: int, deadline: float | None) -> Plan:
        """Best actions from `state` (tokens, width).

        `elapsed`: model periods since the last plan's start, by which the warm start is shifted.
        `deadline`: on the planner's clock; None plans in full (lockstep).
        """
        ...
