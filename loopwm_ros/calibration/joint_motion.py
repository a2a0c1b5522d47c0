"""Joint positions of a recording, at any time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from loopwm_ros.errors import CalibrationError
from loopwm_ros.types import F64

LONGEST = 0.1  # between two joint positions that are interpolated [s]


class JointMotion:
    """Joint positions of a recording at any time; monotone cubic between them."""

    def __init__(self, stamps: F64, positions: F64, joint_offsets: F64) -> None:
        """Of stamps (m,) [s] and positions (m, n) [rad], to which offsets (n,) [rad] are added.

        Raises:
            CalibrationError: shapes do not fit, or stamps do not increase.
        """
        joints = len(joint_offsets)
        if np.ndim(stamps) != 1 or np.shape(positions) != (len(stamps), joints) or len(stamps) < 2:
            raise CalibrationError(
                f"joint stamps have shape {np.shape(stamps)} and positions {np.shape(positions)}; "
                f"expected (m,) and (m, {joints}) with m at least 2"
            )
        if not (np.isfinite(stamps).all() and np.isfinite(positions).all() and (np.diff(stamps) > 0).all()):
            raise CalibrationError("joint stamps must increase, and stamps and positions be finite")
        self.stamps = stamps
        self._positions = PchipInterpolator(stamps, positions + joint_offsets)
        self._velocities = self._positions.derivative()

    def positions(self, times: F64) -> F64:
        """At times (k,) [s], those outside taken to the nearest end; (k, n) [rad]."""
        return np.asarray(self._positions(np.clip(times, self.stamps[0], self.stamps[-1])))

    def velocities(self, times: F64) -> F64:
        """Likewise, (k, n) [rad/s]."""
        return np.asarray(self._velocities(np.clip(times, self.stamps[0], self.stamps[-1])))

    def covers(self, times: F64, around: float) -> NDArray[np.bool_]:
        """Are there positions, without a long gap, from `around` [s] before to after times (k,)?"""
        lows = np.searchsorted(self.stamps, times - around, side="right") - 1
        highs = np.searchsorted(self.stamps, times + around, side="left")
        inside = (lows >= 0) & (highs < len(self.stamps))
        gaps = np.diff(self.stamps)
        return np.array(
            [
                bool(good) and float(gaps[low:high].max(initial=0.0)) <= LONGEST
                for good, low, high in zip(inside, lows, highs, strict=True)
            ]
        )
