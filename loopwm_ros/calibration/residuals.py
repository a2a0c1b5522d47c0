"""How far corners are from where they are expected."""

from __future__ import annotations

import numpy as np

from loopwm_ros.calibration.board import Detection
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.processing.lens import project_through
from loopwm_ros.types import F64


def seen_less_expected(camera: CameraModel, pose: F64, seen: Detection) -> F64:
    """Of corners, (m, 2) [px], for the board's pose in the optical frame (4, 4)."""
    return seen.pixels - project_through(camera, seen.points @ pose[:3, :3].T + pose[:3, 3])


def rms(residuals: F64) -> float:
    """Of distances, for residuals (m, 2) or (2 m,) [px]."""
    return float(np.sqrt(2.0 * np.mean(np.square(residuals))))
