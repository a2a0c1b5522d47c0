"""A batch of candidates whose loops end at different iterations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.types import F32


class RunningBatch:
    """Keeps the terminal state of finished candidates, and drops them once enough have finished.

    Attributes:
        state: h^(t) of the running rows, (running, tokens, width).
        before: h^(t-1) of the same rows; None before the first iteration.
        injected: the prelude's output for the same rows.
        read: what was read in h^(t) of the same rows, (running, quantities); None where nothing was.
        used: iterations of each candidate so far, (batch,).
    """

    def __init__(self, state: F32, injected: F32, compact_below: float) -> None:
        self.state = state
        self.before: F32 | None = None
        self.injected = injected
        self.read: F32 | None = None
        self.used = np.zeros(len(state), dtype=np.int64)
        self._compact_below = compact_below
        self._terminal = np.empty_like(state)
        self._row = np.arange(len(state))  # candidate of each running row
        self._open = np.ones(len(state), dtype=bool)  # running rows that have not finished

    @property
    def finished(self) -> bool:
        """Whether no candidate needs another iteration."""
        return not self._open.any()

    def advance(self, following: F32, done: NDArray[np.bool_], read: F32 | None = None) -> None:
        """Take h^(t+1) of the running rows and what was `read` in it; drop those that are done (running,)."""
        self.used[self._row[self._open]] += 1
        ending = self._open & done
        if ending.any():
            self._terminal[self._row[ending]] = following[ending]
            self._open &= ~ending
        self.before, self.state, self.read = self.state, following, read
        if np.count_nonzero(self._open) < self._compact_below * len(self._open):
            self._compact()

    def terminal(self) -> F32:
        """h^(T) of all candidates (batch, tokens, width); the unfinished ones end where they are."""
        if len(self._row) == len(self._terminal) and self._open.all():
            return self.state
        self._terminal[self._row[self._open]] = self.state[self._open]
        return self._terminal

    def _compact(self) -> None:
        keep = self._open
        self.state, self.injected, self._row = self.state[keep], self.injected[keep], self._row[keep]
        self.before = None if self.before is None else self.before[keep]
        self.read = None if self.read is None else self.read[keep]
        self._open = np.ones(len(self._row), dtype=bool)
