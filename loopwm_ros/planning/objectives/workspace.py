"""Keep the imagined tool where it may be."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from loopwm_ros.planning.objectives.base import TOOL, Scene, Term
from loopwm_ros.types import F32, F64, Rollout


class Workspace(Term):
    """How far the tool leaves the arm's workspace box, averaged over the read-outs.

    Soft guidance for the planner; the safety filter enforces the box.
    """

    reads: ClassVar[tuple[str, ...]] = TOOL

    margin: float = Field(0.01, ge=0, description="kept from the box's sides [m]")

    def cost(self, scene: Scene, rollout: Rollout, actions: F32) -> F64:  # noqa: ARG002
        """Mean distance outside the box [m], (candidates,)."""
        tool = scene.tool(rollout)
        below = np.asarray(scene.workspace.low) + self.margin - tool
        above = tool - np.asarray(scene.workspace.high) + self.margin
        outside = np.maximum(np.maximum(below, above), 0.0)
        return np.asarray(np.linalg.norm(outside, axis=2).mean(axis=1))
