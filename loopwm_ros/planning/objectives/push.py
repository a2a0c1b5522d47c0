"""Push an object to the goal: go around it, then keep it between tool and goal."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from loopwm_ros.planning.objectives.base import TOOL, Scene, Term
from loopwm_ros.types import F32, F64, Rollout

OPENING = 0.5  # angle beyond the tolerance over which the disc closes [rad]


class Push(Term):
    """Object to goal, plus what the tool has yet to walk until it stands behind the object [m].

    `D + detour * D^2 / (D^2 + settled^2) * W + stray * S`, seen from above, averaged over the read-outs:

    - `D`: object to goal, quadratic within `precision`, so that noise averages out;
    - `W`: the tool's shortest way around a disc of radius `clearance` about the object, to the disc's
      point behind the object as seen from the goal. Directions up to `tolerance` off count as behind, and
      only from there is the disc free: elsewhere its depth is added, `astray` times, which brings the tool
      out of contact on the wrong side. Near the goal `W` fades: an object that is there is left alone;
    - `S`: how far the object has left the workspace less `clearance`, where the tool gets behind it.
    """

    reads: ClassVar[tuple[str, ...]] = TOOL

    precision: float = Field(0.01, gt=0, description="[m]")
    detour: float = Field(0.5, ge=0, description="weight of the tool's way")
    clearance: float = Field(0.07, gt=0, description="of tool and object while going around, centres [m]")
    tolerance: float = Field(0.35, ge=0, lt=1.5, description="off straight behind, at the object [rad]")
    astray: float = Field(1.0, ge=0, description="weight of depth in the disc on the wrong side")
    settled: float = Field(0.03, gt=0, description="distance to the goal at which the way counts half [m]")
    stray: float = Field(2.0, ge=0, description="weight of leaving where the object can be pushed")
    final_weight: float = Field(2.0, gt=0, description="of the last read-out, the others being 1")

    def cost(self, scene: Scene, rollout: Rollout, actions: F32) -> F64:  # noqa: ARG002
        """Mean cost of the read-outs [m], (candidates,)."""
        place = scene.point(rollout, scene.moved)[..., :2].astype(np.float64)
        tool = scene.tool(rollout)[..., :2].astype(np.float64)
        left = scene.goal[:2] - place
        squared = np.einsum("csx,csx->cs", left, left)
        near = np.sqrt(squared + self.precision**2) - self.precision
        fading = squared / (squared + self.settled**2)
        way = fading * self._way(tool - place, left)
        cost = near + self.detour * way + self.stray * self._out(scene, place)
        weights = np.ones(len(rollout.steps))
        weights[-1] = self.final_weight
        return np.asarray(cost @ (weights / weights.sum()))

    def _way(self, offset: F64, left: F64) -> F64:
        """Length of the way [m] from `offset` off the object, which has `left` to go, both (..., 2)."""
        across = np.abs(offset[..., 0] * left[..., 1] - offset[..., 1] * left[..., 0])
        along = np.einsum("csx,csx->cs", offset, left)
        turn = np.maximum(np.arctan2(across, -along) - self.tolerance, 0.0)
        distance = np.hypot(offset[..., 0], offset[..., 1])
        radius = self.clearance
        outside = np.maximum(distance, radius)
        tangent = np.arccos(radius / outside)
        curved = np.sqrt(outside**2 - radius**2) + radius * (turn - tangent)
        straight = np.sqrt(np.maximum(outside**2 + radius**2 - 2 * outside * radius * np.cos(turn), 0.0))
        inside = self.astray * np.minimum(turn / OPENING, 1.0) * (outside - distance)
        return np.asarray(np.where(turn > tangent, curved, straight) + inside)

    def _out(self, scene: Scene, place: F64) -> F64:
        """How far `place` (..., 2) is outside the workspace less the clearance [m]."""
        low = np.asarray(scene.workspace.low[:2]) + self.clearance
        high = np.asarray(scene.workspace.high[:2]) - self.clearance
        return np.asarray(np.linalg.norm(np.maximum(np.maximum(low - place, place - high), 0.0), axis=-1))
