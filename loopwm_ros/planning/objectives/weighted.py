"""The objective of a task: a weighted sum of its cost terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from loopwm_ros.config import Box, CostTerm
from loopwm_ros.errors import ConfigError, choices
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.planning.objectives.base import Scene, Term
from loopwm_ros.planning.objectives.effort import Effort
from loopwm_ros.planning.objectives.others import Others
from loopwm_ros.planning.objectives.push import Push
from loopwm_ros.planning.objectives.reach import Reach
from loopwm_ros.planning.objectives.smoothness import Smoothness
from loopwm_ros.planning.objectives.workspace import Workspace
from loopwm_ros.types import F32, F64, Rollout

TERMS: dict[str, type[Term]] = {
    "reach": Reach,
    "push": Push,
    "others": Others,
    "effort": Effort,
    "smoothness": Smoothness,
    "workspace": Workspace,
}


@dataclass(frozen=True)
class WeightedObjective:
    """Implements `planning.base.Objective`."""

    terms: tuple[tuple[float, Term], ...]
    scene: Scene

    @property
    def goal(self) -> F64:
        """Where the moved point should be, base frame [m], (3,)."""
        return self.scene.goal

    def __call__(self, rollout: Rollout, actions: F32) -> F64:
        """Cost (candidates,) of rollouts of `actions` (candidates, horizon, action_dim)."""
        total = np.zeros(len(actions))
        for weight, term in self.terms:
            total += weight * term.cost(self.scene, rollout, actions)
        return total


class ObjectiveFactory:
    """Makes the objective of one planning cycle. Terms and options are checked once, here."""

    def __init__(
        self,
        terms: tuple[CostTerm, ...],
        spec: ModelSpec,
        workspace: Box,
        moved: str = "tool",
        others: tuple[str, ...] = (),
    ) -> None:
        """Build the terms; `moved` is what is brought to the goal, `others` is what else can be moved.

        Raises:
            ConfigError: an unknown term or option, naming the valid ones, or a quantity that a term
                needs and the model does not read out.
        """
        self._terms = tuple((term.weight, make_term(term)) for term in terms)
        for _, term in self._terms:
            if missing := [name for name in term.reads if name not in spec.quantities]:
                raise ConfigError(
                    f"the objective needs {', '.join(missing)}; "
                    f"the model reads out {', '.join(spec.quantities)}"
                )
        self._spec = spec
        self._workspace, self._moved = workspace, moved
        self._others = tuple(name for name in others if spec.locates(name, "xy"))

    def __call__(self, goal: F64, action_now: F32) -> WeightedObjective:
        """Objective for a goal (3,) [m] and the action (action_dim,) executed when the plan takes effect."""
        return WeightedObjective(
            self._terms, Scene(self._spec, self._workspace, goal, action_now, self._moved, self._others)
        )


def make_term(term: CostTerm) -> Term:
    """The term that a task file describes."""
    if term.name not in TERMS:
        raise choices("cost term", term.name, TERMS)
    kind = TERMS[term.name]
    try:
        return kind.model_validate(term.options)
    except ValidationError as error:
        first = error.errors()[0]
        valid = ", ".join(kind.model_fields) or "none"
        raise ConfigError(
            f"cost term '{term.name}': option {'.'.join(map(str, first['loc']))}: {first['msg']}; "
            f"options: {valid}"
        ) from error
