"""How far corners are from where they are expected."""

from __future__ import annotations

import numpy as np

from loopwm_ros.types import F64


def rms(residuals: F64) -> float:
    """Of distances, for residuals (m, 2) or (2 m,) [px]."""
    return float(np.sqrt(2.0 * np.mean(np.square(residuals))))
