"""Change the motion no faster than needed."""

from __future__ import annotations

import numpy as np

from loopwm_ros.planning.objectives.base import Scene, Term
from loopwm_ros.types import F32, Rollout


class Smoothness(Term):
    """Squared change from one action to the next, the one being executed included."""

    def cost(self, scene: Scene, rollout: Rollout, actions: F32) -> F32:  # noqa: ARG002
        """Mean of |u_k - u_{k-1}|^2, (candidates,)."""
        before = np.broadcast_to(scene.action_now, (len(actions), 1, actions.shape[2]))
        change = np.diff(actions, axis=1, prepend=before)
        return np.asarray(np.einsum("cha,cha->c", change, change) / actions.shape[1])
