"""Early exit: when a candidate's loop has done enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.types import F32
from loopwm_ros.world_model.settings import WorldModelSettings


@dataclass(frozen=True)
class ExitTest:
    """Tells the candidates whose loop may end after iteration t.

    Attributes:
        gate: exit when g^(t) exceeds it; None switches the gate off.
        second_difference: exit when ||h^(t) - 2 h^(t-1) + h^(t-2)||, the Euclidean norm over tokens and
            width, falls under it; None switches the test off.
    """

    gate: float | None
    second_difference: float | None

    def __call__(self, state: F32, before: F32, before_that: F32 | None, gate: F32) -> NDArray[np.bool_]:
        """Finished candidates (batch,).

        From the last three states, each (batch, tokens, width), and g^(t) (batch,).
        """
        done = np.zeros(len(state), dtype=bool) if self.gate is None else gate > self.gate
        if self.second_difference is None or before_that is None:
            return done
        change = (state - before) - (before - before_that)
        settled = np.einsum("btw,btw->b", change, change) < self.second_difference**2
        return np.asarray(done | settled)


def exit_test(settings: WorldModelSettings, spec: ModelSpec) -> ExitTest | None:
    """The test that the settings ask for; None when every transition has a fixed number of iterations."""
    if settings.loops or settings.exit == "none":
        return None
    gate, change = settings.gate_threshold, settings.second_difference_threshold
    gate = spec.gate_threshold if gate is None else gate
    change = spec.second_difference_threshold if change is None else change
    return ExitTest(
        gate if settings.exit in ("gate", "either") else None,
        change if settings.exit in ("second_difference", "either") and change > 0 else None,
    )
