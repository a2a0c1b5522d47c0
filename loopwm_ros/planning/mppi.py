"""Model predictive path integral control: every candidate counts, better ones more."""

from __future__ import annotations

import numpy as np

from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import F32, F64


class Mppi:
    """Weights `exp(-(J - J_min) / (temperature * s))`, with `s` the costs' spread from best to median.

    A robust spread makes the temperature free of the objective's units and of a few hopeless candidates.
    """

    def __init__(self, settings: PlannerSettings) -> None:
        self._temperature = settings.temperature
        self._decay = settings.noise_decay

    def weights(self, costs: F64) -> F64:
        """Weights (candidates,) that sum to 1; costs are finite or infinite, at least one is finite."""
        best = costs.min()
        spread = np.median(costs[np.isfinite(costs)]) - best
        weights = np.exp((best - costs) / (self._temperature * max(float(spread), 1e-12)))
        return np.asarray(weights / weights.sum())

    def spread(self, spread: F32, actions: F32, nominal: F32, weights: F64) -> F32:  # noqa: ARG002
        """Standard deviation (horizon, action_dim) of the next refinement."""
        return np.asarray(spread * np.float32(self._decay))
