"""What a cost term is, and what it may look at."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from loopwm_ros.config import Box, Settings
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32, F64, Rollout

TOOL = ("tool_x", "tool_y", "tool_z")


@dataclass(frozen=True)
class Scene:
    """What is known when an objective is made."""

    spec: ModelSpec
    workspace: Box
    goal: F64  # where the moved point should be, base frame [m], (3,)
    action_now: F32  # action being executed when the plan takes effect, (action_dim,)
    moved: str = "tool"  # what is brought to the goal
    others: tuple[str, ...] = ()  # what else can be moved, and should not be

    def tool(self, rollout: Rollout) -> F32:
        """Imagined tool positions in the base frame [m], (candidates, steps, 3)."""
        return self.point(rollout, "tool")

    def point(self, rollout: Rollout, name: str) -> F32:
        """Imagined positions of a point in the base frame [m], (candidates, steps, 3)."""
        return rollout.readouts[:, :, self.spec.columns(name)]

    def from_above(self, rollout: Rollout, name: str) -> F32:
        """Imagined x and y of a point in the base frame [m], (candidates, steps, 2)."""
        return rollout.readouts[:, :, self.spec.columns(name, "xy")]


class Term(Settings):
    """One cost term; its fields are the options a task file may set."""

    reads: ClassVar[tuple[str, ...]] = ()  # quantities of the model that it looks at

    @abstractmethod
    def cost(self, scene: Scene, rollout: Rollout, actions: F32) -> F64 | F32:
        """Cost (candidates,) of rollouts of `actions` (candidates, horizon, action_dim)."""
