"""The planner's rollouts on a GPU, for any number of candidates and by a deadline."""

from __future__ import annotations

import numpy as np

from loopwm_ros.bundle import Bundle
from loopwm_ros.processing.states import spans
from loopwm_ros.types import F32, Rollout
from loopwm_ros.world_model.base import Clock
from loopwm_ros.world_model.device_rollout import DeviceRollouts
from loopwm_ros.world_model.providers import Target
from loopwm_ros.world_model.unrolled import Extent


class OnDevice:
    """Builds what it needs at the first rollout of a horizon, for as many candidates as that one has.

    That is to be when a node is configured: it takes seconds, with TensorRT minutes.
    """

    def __init__(self, bundle: Bundle, loops: int, target: Target, half: bool, clock: Clock) -> None:
        """`loops`: iterations of every transition, whatever is asked for: fewer would hardly be quicker.

        `half`: in float16.
        """
        self._bundle, self._loops, self._target = bundle, loops, target
        self._half, self._clock = half, clock
        self._rollouts: DeviceRollouts | None = None

    def rollout(self, state: F32, actions: F32, steps: tuple[int, ...], deadline: float | None) -> Rollout:
        """Imagine candidates (candidates, horizon, action_dim) from one state, or not at all."""
        rows, horizon, _ = actions.shape
        rollouts = self._made_for(rows, horizon, steps)
        spec = self._bundle.manifest.spec
        loops = np.zeros(spec.max_loops + 1, dtype=np.int64)
        if deadline is not None and self._clock() + rollouts.seconds(rows) > deadline:
            rollouts.refuse(rows)
            nothing = np.empty((rows, 0, len(spec.quantities)), dtype=np.float32)
            return Rollout((), nothing, np.full(rows, np.nan, dtype=np.float32), loops, completed=False)
        readouts, reward = rollouts(state, actions)
        for span in spans(spec, horizon):
            most = span.stop - span.start if spec.iterate == "parts" else self._loops
            loops[min(self._loops, most)] += rows
        return Rollout(steps, readouts, reward, loops, completed=True)

    def seconds(self, rows: int) -> float:
        """What a rollout of so many candidates takes [s]; nothing is known before the first."""
        rollouts = self._rollouts
        return 0.0 if rollouts is None else rollouts.seconds(min(rows, rollouts.extent.batch))

    def _made_for(self, rows: int, horizon: int, steps: tuple[int, ...]) -> DeviceRollouts:
        made = self._rollouts
        if made is None or not made.holds(rows, horizon, self._loops, steps):
            if made is not None:
                made.close()
            extent = Extent(rows, horizon, self._loops, steps)
            made = DeviceRollouts(self._bundle, extent, self._target, self._half, self._clock)
            self._rollouts = made
        return made
