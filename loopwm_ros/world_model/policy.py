"""A cloned policy in imagination: what it would do now, and then where that leads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32, F64
from loopwm_ros.world_model.sessions import Session

Advance = Callable[[F32, F32], F32]  # (state, actions (steps, action_dim)) -> state


class ImaginedPolicy:
    """Implements `Policy` over the graph `policy` of a bundle."""

    def __init__(self, session: Session, spec: ModelSpec, advance: Advance) -> None:
        self._session, self._spec, self._advance = session, spec, advance

    def propose(self, state: F32, goal: F64, steps: int) -> F32:
        """Actions (steps, action_dim) from a state (tokens, width) on; goal (3,) in the base frame [m].

        It acts at every step, in the states of `predict`: within a chunk, after a shorter transition from the
        chunk's start.
        """
        wanted = np.asarray(goal, dtype=np.float32)[None]
        actions = np.empty((steps, self._spec.action_dim), dtype=np.float32)
        start, begin = state, 0  # of the chunk
        for step in range(steps):
            if step:
                state = self._advance(start, actions[begin:step])
            if step - begin == self._spec.chunk:
                start, begin = state, step
            (action,) = self._session(state[None], wanted)
            actions[step] = action[0]
        return actions
