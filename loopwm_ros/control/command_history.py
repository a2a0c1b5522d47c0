"""What the arm was told, as tool positions over time: the source of the model's actions."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.synchroniser import JUMP
from loopwm_ros.types import F64

HISTORY = 400  # commands kept: over 3 s at 120 Hz
SILENCE = 0.25  # without a command for longer nobody commands the arm, who is moved by others if at all [s]


class CommandHistory:
    """Joint references that were sent to the controller, with their tool positions."""

    def __init__(self, kinematics: Kinematics) -> None:
        self._kinematics = kinematics
        self._stamps: deque[float] = deque(maxlen=HISTORY)
        self._tools: deque[F64] = deque(maxlen=HISTORY)
        self._last: F64 | None = None
        self._told = False  # the last is a reference that was sent

    def clear(self, stamp: float, position: F64) -> None:
        """Start anew, holding `position` (n,) since `stamp` [s]."""
        self._stamps.clear()
        self._tools.clear()
        self.add(stamp, position)
        self._told = False

    def add(self, stamp: float, position: F64) -> None:
        """Note a reference (n,) sent at `stamp` [s].

        One older than the last is ignored; if by more than `JUMP`, the clock jumped back and all before it
        is forgotten. Of several at one stamp the last counts.
        """
        if self._stamps and stamp == self._stamps[-1]:
            self._stamps.pop()
            self._tools.pop()
        if self._stamps and stamp < self._stamps[-1]:
            if self._stamps[-1] - stamp <= JUMP:
                return
            self._stamps.clear()
            self._tools.clear()
        self._stamps.append(stamp)
        self._tools.append(self._kinematics.tool_position(position))
        self._last, self._told = position, True

    @property
    def last(self) -> tuple[float, F64] | None:
        """Time and joints (n,) of the last reference."""
        return None if self._last is None else (self._stamps[-1], self._last)

    @property
    def oldest(self) -> float:
        """Before this time [s] references have been forgotten; minus infinity while none has been."""
        return self._stamps[0] if len(self._stamps) == HISTORY else -np.inf

    def silent(self, now: float) -> bool:
        """Is nobody commanding the arm at `now` [s]: disarmed, or in shadow?"""
        return not self._told or now - self._stamps[-1] > SILENCE

    def commanded(self, times: F64) -> NDArray[np.bool_]:
        """Which of `times` (m,), none after the last reference, did not fall into a silence."""
        stamps = np.asarray(self._stamps)
        after = np.clip(np.searchsorted(stamps, times, side="right"), 0, len(stamps) - 1)
        return np.asarray(stamps[after] - stamps[np.maximum(after - 1, 0)] <= SILENCE)

    def tool_at(self, times: F64) -> F64:
        """Commanded tool positions (m, 3) at `times` (m,), held outside the history."""
        stamps, tools = np.asarray(self._stamps), np.asarray(self._tools)
        return np.stack([np.interp(times, stamps, tools[:, axis]) for axis in range(3)], axis=-1)
