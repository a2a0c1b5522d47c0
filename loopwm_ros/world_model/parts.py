"""A core that iterates along time on the host: each iteration is a step over its part of the actions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.states import part_between, told_actions
from loopwm_ros.types import F32
from loopwm_ros.world_model.cost import StageCosts
from loopwm_ros.world_model.exits import ExitTest
from loopwm_ros.world_model.loop import Loops
from loopwm_ros.world_model.sessions import Session

LEAST_PARTS = 2  # after a leap that will not do; fewer would be the same leap again


class PartsCore:
    """`h^(t+1) = R(h^(t), P(h^(t), u_(part t)))` through T parts of a transition, T per candidate.

    With an exit test the first iteration is a leap over all of the actions. Where the test does not take it,
    the transition is gone through again, in one part fewer than there may be iterations; with two of them
    these are two parts for all, as a leap would leave one.
    """

    def __init__(
        self, sessions: dict[str, Session], spec: ModelSpec, exit_test: ExitTest | None, costs: StageCosts
    ) -> None:
        """`sessions`: `step`, or in its place prelude, block and coda."""
        self._whole = sessions.get("step")
        self._prelude, self._block, self._coda = (sessions[name] for name in ("prelude", "block", "coda"))
        self._spec, self._exit, self._costs = spec, exit_test, costs

    def transition(
        self, state: F32, tokens: F32, action: F32, cap: int, leave_by: float = math.inf
    ) -> tuple[F32, Loops]:
        """Next states (batch, tokens, width) and the iterations each candidate used (batch,).

        `leave_by`: what actions are left are one last part where more would not be done by then.
        """
        self._costs.start()
        count = told_actions(self._spec, action)
        if self._exit is None or cap <= LEAST_PARTS:
            return self._in_parts(state, tokens, action, count, cap, leave_by)
        leap, gate = self._step(state, tokens, action)
        used = np.ones(len(state), dtype=np.int64)
        refused = ~self._exit(leap, state, None, gate) & (count > 1)
        rows = np.flatnonzero(refused)
        if not len(rows) or self._late(LEAST_PARTS, len(rows), leave_by):
            return leap, used
        finer, steps = self._in_parts(
            state[rows], tokens[rows], action[rows], count[rows], cap - 1, leave_by, leapt=True
        )
        leap[rows] = finer
        used[rows] += steps
        return leap, used

    def _in_parts(
        self,
        state: F32,
        tokens: F32,
        action: F32,
        count: Loops,
        parts: int,
        leave_by: float,
        leapt: bool = False,
    ) -> tuple[F32, Loops]:
        """`count`: actions (batch,); `leapt`: all in one part has been seen, and found to be too coarse."""
        if parts == 1:
            return self._step(state, tokens, action)[0], np.ones(len(state), dtype=np.int64)
        parts_each = np.minimum(count, parts)
        for t in range(int(parts_each.max())):
            last = not (leapt and t == 0) and self._late(2, len(state), leave_by)
            begin = count * t // parts_each
            end = count if last else count * (t + 1) // parts_each
            following, _ = self._step(state, tokens, part_between(self._spec, action, begin, end))
            going = t < parts_each
            state = following if going.all() else np.where(going[:, None, None], following, state)
            if last:
                return state, np.minimum(parts_each, t + 1)
        return state, parts_each

    def _late(self, iterations: int, rows: int, leave_by: float) -> bool:
        """Whether so many more iterations would not be done in time."""
        return leave_by < math.inf and self._costs.now() + iterations * self._costs.iteration(rows) > leave_by

    def _step(self, state: F32, tokens: F32, action: F32) -> tuple[F32, NDArray[np.float32]]:
        """One step over all of `action`, and the gate that has seen what it changed."""
        if self._whole is not None:
            following, gate = self._whole(state, tokens, action)
        else:
            (injected,) = self._prelude(state, tokens, action)
            following, gate = self._block(state, injected)
            (following,) = self._coda(following)
        self._costs.lap("step", len(state))
        return following, gate
