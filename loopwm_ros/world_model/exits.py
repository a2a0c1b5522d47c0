"""Early exit: when a candidate's loop has done enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32
from loopwm_ros.world_model.base import Clock
from loopwm_ros.world_model.cost import Stage, StageCosts
from loopwm_ros.world_model.settings import WorldModelSettings


@dataclass(frozen=True)
class ExitTest:
    """Tells the candidates whose loop may end after iteration t.

    Attributes:
        gate: exit when g^(t) exceeds it; None switches the gate off.
        second_difference: exit when ||h^(t) - 2 h^(t-1) + h^(t-2)||, the Euclidean norm over tokens and
            width, falls under it; None switches the test off.
        change: exit when ||h^(t) - h^(t-1)||, the same norm, falls under it; None switches the test off.
        readout: exit when no predicted quantity that the heads read in the coda of h^(t) has moved as far as
            this since h^(t-1) [m]; None switches the test off.
    """

    gate: float | None
    second_difference: float | None
    change: float | None = None
    readout: float | None = None

    @property
    def calls(self) -> tuple[Stage, ...]:
        """What an iteration calls where this test follows it."""
        return ("block",) if self.readout is None else ("block", "coda", "heads")

    def __call__(
        self, state: F32, before: F32, before_that: F32 | None, gate: F32, moved: F32 | None = None
    ) -> NDArray[np.bool_]:
        """Finished candidates (batch,).

        From the last three states, each (batch, tokens, width), g^(t) (batch,), and how far the furthest
        quantity has moved since the last iteration [m], (batch,). None: there was none before.
        """
        done = np.zeros(len(state), dtype=bool) if self.gate is None else gate > self.gate
        if self.second_difference is not None and before_that is not None:
            done = done | _shorter((state - before) - (before - before_that), self.second_difference)
        if self.change is not None:
            done = done | _shorter(state - before, self.change)
        if self.readout is not None and moved is not None:
            done = done | (moved < self.readout)
        return np.asarray(done)


def _shorter(difference: F32, threshold: float) -> NDArray[np.bool_]:
    """Whose norm over tokens and width falls under the threshold, (batch,)."""
    return np.asarray(np.einsum("btw,btw->b", difference, difference) < threshold**2)


def exit_test(settings: WorldModelSettings, spec: ModelSpec) -> ExitTest | None:
    """The test that the settings ask for; None when every transition has a fixed number of iterations.

    Raises:
        ConfigError: the test needs a threshold, and none is given; or the bundle's iterations are not such
            that it could tell anything.
    """
    if settings.loops or settings.exit == "none":
        return None
    if spec.iterate == "parts" and settings.exit in ("second_difference", "readout"):
        raise ConfigError(
            f"exit is '{settings.exit}', which compares iterations on one input, and this bundle's are steps "
            "over parts of the actions; use gate or change"
        )
    gate, second = settings.gate_threshold, settings.second_difference_threshold
    gate = spec.gate_threshold if gate is None else gate
    second = spec.second_difference_threshold if second is None else second
    if settings.exit == "readout" and not spec.predicted:
        raise ConfigError(
            "exit is 'readout', and the bundle predicts no quantity; use gate or second_difference"
        )
    if settings.exit == "change" and settings.change_threshold is None:
        raise ConfigError("exit is 'change', which has no threshold in a bundle: set change_threshold")
    return ExitTest(
        gate if settings.exit in ("gate", "either") else None,
        second if settings.exit in ("second_difference", "either") and second > 0 else None,
        settings.change_threshold if settings.exit == "change" else None,
        settings.readout_tolerance if settings.exit == "readout" else None,
    )


def stage_costs(clock: Clock, spec: ModelSpec, test: ExitTest | None) -> StageCosts:
    """What a bundle's iterations call where this exit test follows them."""
    if spec.steps_whole:
        return StageCosts(clock, ("step",), ())
    return StageCosts(clock) if test is None else StageCosts(clock, test.calls)
