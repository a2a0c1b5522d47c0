"""The way of commands to the servo: it takes time, and not always the same."""

from __future__ import annotations

from collections import deque

import numpy as np

from loopwm_ros.types import F64


class Transport:
    """Delays commands and keeps their order."""

    def __init__(self, delay: float, jitter: float, rng: np.random.Generator) -> None:
        """`delay` of each command and up to `jitter` more [s]."""
        self._delay, self._jitter, self._rng = delay, jitter, rng
        self._on_the_way: deque[tuple[float, F64]] = deque()

    def send(self, now: float, command: F64) -> None:
        """Sent at `now` [s]; none overtakes another."""
        due = now + self._delay + float(self._rng.uniform(0.0, self._jitter))
        if self._on_the_way:
            due = max(due, self._on_the_way[-1][0])
        self._on_the_way.append((due, command.copy()))

    def arrived(self, now: float) -> F64 | None:
        """The newest that has arrived by `now` [s] and was not handed out yet."""
        command = None
        while self._on_the_way and self._on_the_way[0][0] <= now:
            command = self._on_the_way.popleft()[1]
        return command
