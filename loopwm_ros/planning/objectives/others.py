"""Leave alone what is not to be moved."""

from __future__ import annotations

import numpy as np

from loopwm_ros.planning.objectives.base import Scene, Term
from loopwm_ros.types import F32, F64, Rollout


class Others(Term):
    """How far other objects are imagined to move from one read-out to the next, seen from above, averaged.

    A block that is pushed by the pushed one takes it along on a way of its own, which a model foresees worst.
    """

    def cost(self, scene: Scene, rollout: Rollout, actions: F32) -> F64:  # noqa: ARG002
        """Mean way of all of them [m], (candidates,); zeros with one read-out, or nothing else about."""
        total = np.zeros(len(rollout.readouts))
        if rollout.readouts.shape[1] < 2:
            return total
        for name in scene.others:
            place = scene.from_above(rollout, name).astype(np.float64)
            total += np.linalg.norm(np.diff(place, axis=1), axis=-1).mean(axis=1)
        return total
