"""What a cost term is, and what it may look at."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.config import Box, Settings
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import F32, F64, Rollout


@dataclass(frozen=True)
class Scene:
    """What is known when an objective is made."""

    spec: ModelSpec
    workspace: Box
    goal: F64  # where the tool should be, base frame [m], (3,)
    action_now: F32  # action being executed when the plan takes effect, (action_dim,)

    def tool(self, rollout: Rollout) -> F32:
        """Imagined tool positions in the base frame [m], (candidates, steps, 3).

        Raises:
            ConfigError: the model does not read out the tool.
        """
        names = [f"tool_{axis}" for axis in "xyz"]
        if missing := [n for n in names if n not in self.spec.quantities]:
            raise ConfigError(
                f"the objective needs {', '.join(missing)}; "
                f"the model reads out {', '.join(self.spec.quantities)}"
            )
        return rollout.readouts[:, :, [self.spec.quantities.index(n) for n in names]]


class Term(Settings):
    """One cost term; its fields are the options a task file may set."""

    @abstractmethod
    def cost(self, scene: Scene, rollout: Rollout, actions: F32) -> F64 | F32:
        """Cost (candidates,) of rollouts of `actions` (candidates, horizon, action_dim)."""
