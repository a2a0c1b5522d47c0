"""A lens and its board's poses, fitted to views by OpenCV; how well it is known, from the Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from loopwm_ros.calibration.fisheye_fit import fit_fisheye
from loopwm_ros.calibration.residuals import seen_less_expected
from loopwm_ros.calibration.views import View
from loopwm_ros.config.calibration import COEFFICIENTS, CameraModel, Lens
from loopwm_ros.errors import SensorError
from loopwm_ros.processing.lens import camera_matrix
from loopwm_ros.types import F64

STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-10)
NAMES: dict[Lens, tuple[str, ...]] = {
    "plumb_bob": ("k1", "k2", "p1", "p2", "k3"),
    "rational_polynomial": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    "equidistant": ("k1", "k2", "k3", "k4"),
}
TILT = "add views that tilt the board by 20 to 45 degrees about both of its axes"
UNEXPLAINED = f"no lens explains these views; {TILT}, in all parts of the picture"


@dataclass(frozen=True)
class Fit:
    """A camera, where the board was, and what that leaves unexplained."""

    camera: CameraModel
    poses: tuple[F64, ...]  # of the board in the optical frame, for each view, 4x4
    residuals: tuple[F64, ...]  # seen less projected, for each view (m, 2) [px]


def fit_lens(views: Sequence[View], lens: Lens) -> Fit:
    """The lens that explains views of one size best.

    Raises:
        SensorError: there is none.
    """
    size = views[0].size
    points = [np.ascontiguousarray(view.detection.points) for view in views]
    pixels = [np.ascontiguousarray(view.detection.pixels) for view in views]
    try:
        fisheye = lens == "equidistant"
        found = fit_fisheye(points, pixels, size) if fisheye else _pinhole(points, pixels, size, lens)
    except cv2.error as error:
        raise SensorError(UNEXPLAINED) from error
    if found is None:
        raise SensorError(UNEXPLAINED)
    K, D, rotations, translations = found
    values = np.concatenate([K.ravel(), D.ravel()])
    if not (np.isfinite(values).all() and K[0, 0] > 0 and K[1, 1] > 0):
        raise SensorError(UNEXPLAINED)
    camera = CameraModel(
        width=size[0],
        height=size[1],
        fx=K[0, 0],
        fy=K[1, 1],
        cx=K[0, 2],
        cy=K[1, 2],
        lens=lens,
        distortion=tuple(D.ravel()[: COEFFICIENTS[lens]].tolist()),
    )
    poses = [_pose(turn, move) for turn, move in zip(rotations, translations, strict=True)]
    residuals = [
        seen_less_expected(camera, pose, view.detection) for pose, view in zip(poses, views, strict=True)
    ]
    return Fit(camera, tuple(poses), tuple(residuals))


def deviations(fit: Fit, views: Sequence[View]) -> dict[str, float]:
    """1-sigma of fx, fy, cx, cy [px] and the coefficients, as the residuals have it.

    Errors of corners count as independent, so what a bent board or another lens model does is not in it.
    """
    count = 4 + COEFFICIENTS[fit.camera.lens]
    normal, squares, corners = np.zeros((count, count)), 0.0, 0
    for view, pose, left in zip(views, fit.poses, fit.residuals, strict=True):
        inner, outer = _jacobians(fit.camera, pose, view.detection.points)
        through, _ = np.linalg.qr(outer)
        free = inner - through @ (through.T @ inner)  # what the view's own pose cannot explain
        normal += free.T @ free
        squares, corners = squares + float((left**2).sum()), corners + len(left)
    freedom = max(1, 2 * corners - count - 6 * len(views))
    scale = 1.0 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    scaled = np.linalg.pinv(normal * scale[:, None] * scale[None, :], hermitian=True)
    variances = np.diag(scaled) * scale**2 * squares / freedom
    names = ("fx", "fy", "cx", "cy", *NAMES[fit.camera.lens])
    return {name: float(np.sqrt(max(0.0, value))) for name, value in zip(names, variances, strict=True)}


def _jacobians(camera: CameraModel, pose: F64, points: F64) -> tuple[F64, F64]:
    """Of the pixels by the lens (2m, 4 + coefficients) and by the pose (2m, 6)."""
    turn, _ = cv2.Rodrigues(pose[:3, :3])
    K, D, flat = camera_matrix(camera), np.array(camera.distortion), points.reshape(-1, 1, 3)
    if camera.lens == "equidistant":
        _, found = cv2.fisheye.projectPoints(flat, turn, pose[:3, 3], K, D)
        inner, outer = found[:, :8], found[:, 8:14]
    else:
        _, found = cv2.projectPoints(flat, turn, pose[:3, 3], K, D)
        inner, outer = found[:, 6 : 10 + len(D)], found[:, :6]
    return np.asarray(inner, dtype=np.float64), np.asarray(outer, dtype=np.float64)


def _pinhole(points: list[F64], pixels: list[F64], size: tuple[int, int], lens: Lens) -> tuple[Any, ...]:
    flags = cv2.CALIB_RATIONAL_MODEL if lens == "rational_polynomial" else 0
    single = [[each.astype(np.float32) for each in every] for every in (points, pixels)]
    _, *found = cv2.calibrateCamera(
        single[0], single[1], size, np.eye(3), np.zeros(5), flags=flags, criteria=STOP
    )
    return tuple(found)


def _pose(turn: F64, move: F64) -> F64:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(np.asarray(turn))[0], np.asarray(move).ravel()
    return pose
