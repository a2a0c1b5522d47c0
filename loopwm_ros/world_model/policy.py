"""A cloned policy in imagination: what it would do now, and then where that leads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loopwm_ros.types import F32, F64
from loopwm_ros.world_model.sessions import Session

Advance = Callable[[F32, F32], F32]  # (state, actions (steps, action_dim)) -> state


class ImaginedPolicy:
    """Implements `Policy` over the graph `policy` of a bundle."""

    def __init__(self, session: Session, action_dim: int, advance: Advance) -> None:
        self._session, self._action_dim, self._advance = session, action_dim, advance

    def propose(self, state: F32, goal: F64, steps: int) -> F32:
        """Actions (steps, action_dim) from a state (tokens, width) on; goal (3,) in the base frame [m]."""
        wanted = np.asarray(goal, dtype=np.float32)[None]
        actions = np.empty((steps, self._action_dim), dtype=np.float32)
        for step in range(steps):
            if step:
                state = self._advance(state, actions[step - 1 : step])
            (action,) = self._session(state[None], wanted)
            actions[step] = action[0]
        return actions
