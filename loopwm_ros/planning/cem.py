"""Cross-entropy method: the next mean and spread are those of the best few candidates."""

from __future__ import annotations

import numpy as np

from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import F32, F64

LEAST_SPREAD = 0.02  # keeps a later refinement from collapsing onto one candidate


class Cem:
    """Equal weights for the elites, none for the others."""

    def __init__(self, settings: PlannerSettings) -> None:
        self._elites = settings.elites

    def weights(self, costs: F64) -> F64:
        """Weights (candidates,) that sum to 1; infinite costs are never among the elites."""
        elites = np.argsort(costs, kind="stable")[: min(self._elites, int(np.isfinite(costs).sum()))]
        weights = np.zeros_like(costs)
        weights[elites] = 1.0 / len(elites)
        return weights

    def spread(self, spread: F32, actions: F32, nominal: F32, weights: F64) -> F32:  # noqa: ARG002
        """Standard deviation (horizon, action_dim) of the elites."""
        variance = np.einsum("c,cha->ha", weights, (actions - nominal) ** 2)
        return np.asarray(np.maximum(np.sqrt(variance), LEAST_SPREAD), dtype=np.float32)
