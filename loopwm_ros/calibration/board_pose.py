"""Where a board is before the camera, from one image."""

from __future__ import annotations

import cv2
import numpy as np

from loopwm_ros.calibration.board import Detection
from loopwm_ros.calibration.residuals import seen_less_expected
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.errors import SensorError
from loopwm_ros.processing.lens import rays
from loopwm_ros.processing.poses import posed
from loopwm_ros.types import F64

_STEEPEST = 20.0  # slope of a ray, beyond which the lens was not inverted


def board_pose(camera: CameraModel, detection: Detection) -> tuple[F64, F64]:
    """Pose of a board in the optical frame (4, 4) [m], and its residuals, seen minus expected, (m, 2) [px].

    A flat board has two poses that look alike; the one that fits better is taken, and fitted by
    Levenberg-Marquardt.

    Raises:
        SensorError: no pose in front of the camera fits.
    """
    plane = rays(camera, detection.pixels)[:, :2]
    usable = np.isfinite(plane).all(axis=1) & (np.abs(plane) < _STEEPEST).all(axis=1)
    points, plane = detection.points[usable], np.ascontiguousarray(plane[usable])
    if len(points) < 4:
        raise SensorError(
            f"{len(points)} of {len(detection.points)} corners can be traced through the lens, at least 4 "
            "are needed; check that the camera's model is of this camera and image size"
        )
    found: list[tuple[float, F64, F64]] = []
    _, turns, shifts, _ = cv2.solvePnPGeneric(points, plane, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE)
    for turn, shift in zip(turns, shifts, strict=True):
        turn, shift = cv2.solvePnPRefineLM(points, plane, np.eye(3), None, turn, shift)  # noqa: PLW2901
        pose = posed(
            np.asarray(cv2.Rodrigues(turn)[0], dtype=np.float64), np.asarray(shift, dtype=np.float64).ravel()
        )
        residuals = seen_less_expected(camera, pose, detection)
        if np.isfinite(residuals).all():
            found.append((float(np.sum(residuals**2)), pose, residuals))
    if not found:
        raise SensorError("no pose of the board in front of the camera explains the corners seen")
    _, pose, residuals = min(found, key=lambda fit: fit[0])
    return pose, residuals
