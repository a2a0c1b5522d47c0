"""Two kinds of noise in a hand-eye calibration: of corners in pictures, and of joints from sight to sight.

All corners of one picture share the joints' error, so counting them as independent would promise too much.
Residuals are r = J q + e with q ~ N(0, t^2) for each joint and sight, and e ~ N(0, s^2) for each coordinate;
s and t are estimated by restricted maximum likelihood (Patterson and Thompson, 1971).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from loopwm_ros.types import F64

_RATIOS = (-14.0, 0.0)  # decimal logarithm of the least and the largest (t / s)^2 [rad^2/px^2]


@dataclass(frozen=True)
class Noise:
    """Standard deviations."""

    pixels: float  # s [px]
    joints: float  # t [rad]

    @property
    def ratio(self) -> float:
        """(t / s)^2 [rad^2/px^2]."""
        return (self.joints / self.pixels) ** 2


class Whitening:
    """Makes residuals independent and of standard deviation 1, for noise as given."""

    def __init__(self, by_joints: F64, rows: Sequence[slice], noise: Noise) -> None:
        """Of derivatives by each sight's joints (2 m, n), with the rows of each sight."""
        self._noise, self._rows = noise, rows
        parts = [np.linalg.svd(by_joints[each], full_matrices=False) for each in rows]
        self._bases = [basis for basis, _, _ in parts]
        self._shrink = [1.0 / np.sqrt(1.0 + noise.ratio * sizes**2) for _, sizes, _ in parts]

    def __call__(self, values: F64) -> F64:
        """Residuals (2 m,), or their derivatives (2 m, p)."""
        white = np.array(values)
        for each, basis, shrink in zip(self._rows, self._bases, self._shrink, strict=True):
            white[each] -= (basis * (1.0 - shrink)) @ (basis.T @ white[each])
        return white / self._noise.pixels

    def surprise(self, residuals: F64) -> F64:
        """For each sight, how far its joints are off: chi-squared, of as many degrees as there are joints."""
        white = self(residuals)
        parts = [basis.T @ white[each] for each, basis in zip(self._rows, self._bases, strict=True)]
        return np.array([float(part @ part) for part in parts])


def estimate_noise(residuals: F64, design: F64, by_joints: F64, rows: Sequence[slice]) -> Noise:
    """From residuals (2 m,) [px] of a fit with derivatives `design` (2 m, p); others as for Whitening."""
    parts = [np.linalg.svd(by_joints[each], full_matrices=False)[:2] for each in rows]
    both = np.column_stack([design, residuals])
    squares = both.T @ both
    along = np.concatenate([basis.T @ both[each] for each, (basis, _) in zip(rows, parts, strict=True)])
    sizes = np.concatenate([size for _, size in parts]) ** 2
    freedom = len(residuals) - design.shape[1]

    def best(exponent: float) -> tuple[float, float]:
        """Minus twice the likelihood, and s^2, for a ratio."""
        spread = 1.0 + 10.0**exponent * sizes
        weighted = squares - along.T @ ((1.0 - 1.0 / spread)[:, None] * along)
        normal, right = weighted[:-1, :-1], weighted[:-1, -1]
        variance = max((weighted[-1, -1] - right @ np.linalg.pinv(normal) @ right) / freedom, 1e-18)
        _, bulk = np.linalg.slogdet(normal)
        return float(freedom * np.log(variance) + np.log(spread).sum() + bulk), float(variance)

    found = minimize_scalar(lambda x: best(x)[0], bounds=_RATIOS, method="bounded")
    pixels = float(np.sqrt(best(found.x)[1]))
    return Noise(pixels, pixels * float(10.0 ** (found.x / 2.0)))
