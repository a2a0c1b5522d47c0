"""The looped core on the host: prelude once, the block as often as a candidate needs, coda once."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.types import F32
from loopwm_ros.world_model.compaction import RunningBatch
from loopwm_ros.world_model.cost import StageCosts
from loopwm_ros.world_model.exits import ExitTest
from loopwm_ros.world_model.sessions import Session

Loops = NDArray[np.int64]


class Core(Protocol):
    """Advances candidates by one transition, with as many iterations as each needs."""

    def transition(
        self, state: F32, tokens: F32, action: F32, cap: int, leave_by: float = math.inf
    ) -> tuple[F32, Loops]:
        """Next states (batch, tokens, width) and the iterations each candidate used (batch,).

        `cap`: most iterations; `leave_by`: time after which no further iteration ends that could be left out.
        """
        ...


class LoopedCore:
    """`h_k = C(C_proj h^(T))` with `h^(t+1) = Abar h^(t) + Bbar e + Rbar(h^(t), e)`, T per candidate."""

    def __init__(
        self,
        sessions: dict[str, Session],
        predicted: list[int],
        exit_test: ExitTest | None,
        compact_below: float,
        costs: StageCosts,
    ) -> None:
        """`predicted`: the quantities that an exit test by read-outs looks at."""
        self._prelude = sessions["prelude"]
        self._block = sessions["block"]
        self._coda = sessions["coda"]
        self._heads = sessions["heads"]
        self._predicted, self._exit = predicted, exit_test
        self._compact_below = compact_below
        self._costs = costs

    def transition(
        self, state: F32, tokens: F32, action: F32, cap: int, leave_by: float = math.inf
    ) -> tuple[F32, Loops]:
        """Next states (batch, tokens, width) and the iterations each candidate used (batch,).

        `leave_by`: time after which no further iteration starts, though one is always made.
        """
        self._costs.start()
        (injected,) = self._prelude(state, tokens, action)
        now = self._costs.lap("prelude", len(state))
        looped, used = self._iterate(state, injected, cap, now, leave_by)
        (following,) = self._coda(looped)
        self._costs.lap("coda", len(state))
        return following, used

    def _iterate(self, state: F32, injected: F32, cap: int, now: float, leave_by: float) -> tuple[F32, Loops]:
        batch = RunningBatch(state, injected, self._compact_below)
        for iteration in range(cap):
            rows = len(batch.state)
            if iteration and now + self._costs.iteration(rows) > leave_by:
                break
            following, gate = self._block(batch.state, batch.injected)
            read = self._readout(following) if iteration + 1 < cap else None
            batch.advance(following, self._done(following, batch, gate, read), read)
            now = self._costs.lap("block" if read is None else "heads", rows)
            if batch.finished:
                break
        return batch.terminal(), batch.used

    def _readout(self, state: F32) -> F32 | None:
        """The predicted quantities [m] in h^(t) of the running rows; None where no exit test needs them."""
        if self._exit is None or self._exit.readout is None:
            return None
        self._costs.lap("block", len(state))
        (decoded,) = self._coda(state)
        self._costs.lap("coda", len(state))
        return self._heads(decoded)[0][:, self._predicted]

    def _done(self, following: F32, batch: RunningBatch, gate: F32, read: F32 | None) -> NDArray[np.bool_]:
        if self._exit is None:
            return np.zeros(len(following), dtype=bool)
        moved = None if read is None or batch.read is None else np.abs(read - batch.read).max(axis=1)
        return self._exit(following, batch.state, batch.before, gate, moved)
