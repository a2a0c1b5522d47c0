"""Pinhole camera geometry, the only copy: renderer, tf, and every picture drawn over a frame."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config import CameraConfig
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import F64

_PARALLEL = 1e-6


def camera_pose(camera: CameraConfig) -> F64:
    """Optical frame in the base frame, 4x4 (REP-103: x right, y down, z forward).

    The image is upright: base +z points up in it, or base +x where the camera looks straight up or down.

    Raises:
        ConfigError: position and look_at coincide.
    """
    position = np.asarray(camera.position)
    forward = np.asarray(camera.look_at) - position
    length = float(np.linalg.norm(forward))
    if length < _PARALLEL:
        raise ConfigError(f"camera position and look_at are both {camera.position}; they must differ")
    forward = forward / length
    right = np.cross(forward, (0.0, 0.0, 1.0))
    if np.linalg.norm(right) < _PARALLEL:
        right = np.cross(forward, (1.0, 0.0, 0.0))
    right = right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = position
    return pose


def project(camera: CameraConfig, points: F64) -> F64:
    """Base-frame points (m, 3) [m] to pixels (m, 2), origin at the image's upper left corner.

    Points at or behind the optical centre become NaN; points outside the image are kept.
    """
    pose = camera_pose(camera)
    local = (np.asarray(points, dtype=np.float64).reshape(-1, 3) - pose[:3, 3]) @ pose[:3, :3]
    depth = np.where(local[:, 2] > 0, local[:, 2], np.nan)
    return np.column_stack(
        [camera.fx * local[:, 0] / depth + camera.cx, camera.fy * local[:, 1] / depth + camera.cy]
    )
