"""Move no more than needed."""

from __future__ import annotations

import numpy as np

from loopwm_ros.planning.objectives.base import Scene, Term
from loopwm_ros.types import F32, Rollout


class Effort(Term):
    """Squared length of the actions, averaged over the horizon."""

    def cost(self, scene: Scene, rollout: Rollout, actions: F32) -> F32:  # noqa: ARG002
        """Mean of |u|^2, (candidates,)."""
        return np.asarray(np.einsum("cha,cha->c", actions, actions) / actions.shape[1])
