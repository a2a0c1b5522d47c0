"""What the arm's own sensors said over time."""

from __future__ import annotations

from collections import deque

import numpy as np

from loopwm_ros.control.synchroniser import JUMP
from loopwm_ros.types import F64, JointState

HISTORY = 600  # joint states kept: over 3 s
SPACING = 5e-3  # states closer than this are thinned out: the time span is the same at every rate [s]


class JointHistory:
    """Measured joints, bounded in memory."""

    def __init__(self) -> None:
        self._stamps: deque[float] = deque(maxlen=HISTORY)
        self._positions: deque[F64] = deque(maxlen=HISTORY)

    def clear(self) -> None:
        """Forget everything."""
        self._stamps.clear()
        self._positions.clear()

    def add(self, joints: JointState) -> None:
        """Note a state. One not newer is ignored; after a jump of the clock all before is forgotten."""
        stamps = self._stamps
        if stamps and joints.stamp <= stamps[-1]:
            if stamps[-1] - joints.stamp <= JUMP:
                return
            self.clear()
        if len(stamps) > 1 and joints.stamp - stamps[-2] < SPACING:
            stamps.pop()
            self._positions.pop()
        stamps.append(joints.stamp)
        self._positions.append(joints.position)

    @property
    def newest(self) -> tuple[float, F64] | None:
        """Time [s] and joints (n,) [rad] of the last state."""
        return (self._stamps[-1], self._positions[-1]) if self._stamps else None

    @property
    def oldest(self) -> float:
        """Time of the first state that is still known [s]; infinite while there is none."""
        return self._stamps[0] if self._stamps else np.inf

    def all(self) -> tuple[F64, F64]:
        """Times (m,) [s] and joints (m, n) [rad] of all states that are still known."""
        return np.asarray(self._stamps), np.asarray(self._positions)

    def at(self, times: F64) -> F64:
        """Joints (m, n) [rad] at `times` (m,), linear between states and held outside them."""
        stamps, positions = self.all()
        columns = [np.interp(times, stamps, column) for column in positions.T]
        return np.stack(columns, axis=-1)
