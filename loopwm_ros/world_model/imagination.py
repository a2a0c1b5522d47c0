"""Rollouts of many candidates: deferred decoding, and an answer before the deadline."""

from __future__ import annotations

import numpy as np

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.states import chunked, spans
from loopwm_ros.types import F32, Rollout
from loopwm_ros.world_model.cost import StageCosts
from loopwm_ros.world_model.loop import Core
from loopwm_ros.world_model.sessions import Session


class Imagination:
    """Advances candidates together and calls the heads only where they are read."""

    def __init__(self, spec: ModelSpec, core: Core, heads: Session, costs: StageCosts) -> None:
        self._spec = spec
        self._core = core
        self._heads = heads
        self._costs = costs

    def rollout(
        self, states: F32, actions: F32, steps: tuple[int, ...], cap: int, deadline: float
    ) -> Rollout:
        """Imagine `actions` (candidates, horizon, action_dim) from `states` (candidates, tokens, width).

        Before each transition its iterations are cut to what the deadline allows. The heads read after
        `steps` actions, each the end of a transition.
        """
        rows, horizon, _ = actions.shape
        transitions = spans(self._spec, horizon)
        unseen = np.zeros_like(states)
        readouts = np.empty((rows, len(steps), len(self._spec.quantities)), dtype=np.float32)
        reward = np.full(rows, np.nan, dtype=np.float32)
        loops = np.zeros(self._spec.max_loops + 1, dtype=np.int64)
        read = 0
        for left, span in zip(reversed(range(len(transitions))), transitions, strict=True):
            room = self._room(rows, left, len(steps) - read, cap, deadline)
            if room is None:
                return Rollout(steps[:read], readouts[:, :read], reward, loops, completed=False)
            told = chunked(self._spec, actions[:, span])
            states, used = self._core.transition(states, unseen, told, *room)
            loops += np.bincount(used, minlength=len(loops))
            if span.stop == steps[read]:
                readouts[:, read], reward, _, _ = self._heads(states)
                self._costs.lap("heads", rows)
                read += 1
        return Rollout(steps, readouts, reward, loops, completed=True)

    def _room(
        self, rows: int, left: int, readouts: int, cap: int, deadline: float
    ) -> tuple[int, float] | None:
        """Iterations of the next transition, and when its loop must end; None if there is no time for it.

        `left`: transitions after the next one; they are given at least one iteration each.
        """
        seconds = deadline - self._costs.start()
        loops = self._costs.fitting_loops(rows, left + 1, readouts, seconds, cap)
        if loops == 0:
            return None
        return loops, deadline - self._costs.rollout(rows, left, 1, readouts) - self._costs.ending(rows)
