"""Bring the tool to the goal."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from loopwm_ros.planning.objectives.base import TOOL, Scene, Term
from loopwm_ros.types import F32, F64, Rollout


class Reach(Term):
    """`sqrt(d^2 + precision^2) - precision`, averaged over the read-outs, the last one counting more.

    Far away it is the distance [m]; within `precision` it is quadratic, so that noise averages out.
    """

    reads: ClassVar[tuple[str, ...]] = TOOL

    precision: float = Field(0.01, gt=0, description="[m]")
    final_weight: float = Field(2.0, gt=0, description="of the last read-out, the others being 1")

    def cost(self, scene: Scene, rollout: Rollout, actions: F32) -> F64:  # noqa: ARG002
        """Mean soft distance of tool and goal [m], (candidates,)."""
        offset = scene.tool(rollout) - scene.goal
        distance = np.sqrt(np.einsum("csx,csx->cs", offset, offset) + self.precision**2) - self.precision
        weights = np.ones(len(rollout.steps))
        weights[-1] = self.final_weight
        return np.asarray(distance @ (weights / weights.sum()))
