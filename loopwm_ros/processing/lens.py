"""Lens distortion, the only copy: calibration, drift check and rectification all project through it."""

from __future__ import annotations

import cv2
import numpy as np

from loopwm_ros.config import CameraConfig
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.types import F64

TOLERANCE = 0.005  # of the picture's width, by which the same ray may be seen elsewhere by the same camera
_GRID = 9  # places along a side, at which two cameras are compared
_TRACED = 0.1  # by which a pixel may miss itself along its ray and back, where the lens model holds [px]
_PRECISE = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)


def pinhole(camera: CameraConfig) -> CameraModel:
    """The camera of an arm file or a bundle, which has no distortion."""
    same = {name: getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    return CameraModel(**same)


def camera_matrix(camera: CameraModel) -> F64:
    """K, (3, 3) [px]."""
    return np.array([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])


def project_through(camera: CameraModel, points: F64) -> F64:
    """Points in the optical frame (m, 3) [m] to pixels (m, 2); NaN for those not in front of it."""
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    pixels = np.full((len(points), 2), np.nan)
    front = points[:, 2] > 0
    if front.any():
        project = cv2.fisheye.projectPoints if camera.lens == "equidistant" else cv2.projectPoints
        seen = np.ascontiguousarray(points[front]).reshape(-1, 1, 3)
        still = np.zeros(3)
        found, _ = project(seen, still, still, camera_matrix(camera), np.array(camera.distortion))
        pixels[front] = found.reshape(-1, 2)
    return pixels


def rays(camera: CameraModel, pixels: F64) -> F64:
    """Pixels (m, 2) to the points at depth 1 that are seen there, (m, 3)."""
    flat = np.ascontiguousarray(pixels, dtype=np.float64).reshape(-1, 1, 2)
    matrix, coefficients = camera_matrix(camera), np.array(camera.distortion)
    if camera.lens == "equidistant":
        plane = cv2.fisheye.undistortPoints(flat, matrix, coefficients)
    else:
        plane = cv2.undistortPointsIter(flat, matrix, coefficients, np.eye(3), np.eye(3), _PRECISE)
    return np.column_stack([plane.reshape(-1, 2), np.ones(len(flat))])


def lens_differences(first: CameraModel, second: CameraModel) -> tuple[float, list[str]]:
    """How far apart two cameras see the same ray, at most [px], and in which values they differ.

    Only pixels whose rays the first one can trace count: at the rim of a fisheye's picture there may be none.
    Infinite where their pictures have different sizes, or where it can trace none.
    """
    ours, theirs = first.model_dump(), second.model_dump()
    values = [f"{name} {ours[name]} against {theirs[name]}" for name in ours if ours[name] != theirs[name]]
    if (first.width, first.height) != (second.width, second.height):
        return float("inf"), values
    x, y = (np.linspace(0.0, side - 1.0, _GRID) for side in (first.width, first.height))
    pixels = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    seen = rays(first, pixels)
    back, other = (project_through(camera, seen) - pixels for camera in (first, second))
    traced = np.linalg.norm(back, axis=1) < _TRACED
    apart = np.linalg.norm(other[traced], axis=1)
    return float(np.max(np.nan_to_num(apart, nan=np.inf), initial=0.0 if traced.any() else np.inf)), values


def contradiction(first: CameraModel, second: CameraModel) -> str:
    """In which values two descriptions are of different cameras, in words; empty where of the same."""
    apart, values = lens_differences(first, second)
    limit = TOLERANCE * first.width
    if apart <= limit:
        return ""
    far = f"up to {apart:.1f} px apart (at most {limit:.1f})" if apart < float("inf") else "another size"
    return f"{far}; {', '.join(values)}"
