"""Paces a simulation by the wall clock, without drift."""

from __future__ import annotations

import math


class Pacer:
    """Says how many steps are due.

    A short delay is caught up, a few steps at a time; a longer one is given up, so that a machine that is
    too slow runs slower than real time instead of ever further behind.
    """

    def __init__(self, period: float, at_once: int = 4, patience: int = 16) -> None:
        """`period` of a step [s]; `at_once`: most steps a call; `patience`: backlog that is given up."""
        self._period = period
        self._at_once = at_once
        self._patience = patience
        self._start: float | None = None
        self._done = 0
        self.dropped = 0  # steps given up so far

    def restart(self) -> None:
        """Forget the past: the next call is the first."""
        self._start = None

    def due(self, now: float) -> int:
        """Steps to make at `now` [s, any steady clock]. Half a period early counts as due."""
        if self._start is None:
            self._start, self._done = now, 0
        behind = math.floor((now - self._start) / self._period + 0.5) + 1 - self._done
        if behind > self._patience:
            self.dropped += behind - 1
            self._done += behind - 1
            behind = 1
        steps = min(max(behind, 0), self._at_once)
        self._done += steps
        return steps
