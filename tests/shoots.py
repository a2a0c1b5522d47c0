"""Rendered pictures of boards, made once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from benchmarks.calibration import shoot
from benchmarks.calibration.rendering import Flaws, Studio
from loopwm_ros.calibration.board import Board
from loopwm_ros.config.calibration import BoardSettings, CameraModel

CHARUCO = BoardSettings()
CHECKERBOARD = BoardSettings(kind="checkerboard", columns=8, rows=5)
WEBCAM = CameraModel(
    width=640,
    height=480,
    fx=520.0,
    fy=518.5,
    cx=322.3,
    cy=236.4,
    distortion=(-0.28, 0.09, 0.001, -0.0005, 0.0),
)
FISHEYE = CameraModel(
    width=640,
    height=480,
    fx=240.0,
    fy=239.4,
    cx=322.3,
    cy=236.4,
    lens="equidistant",
    distortion=(0.03, -0.012, 0.004, -0.0006),
)


@cache
def studio(settings: BoardSettings, camera: CameraModel) -> Studio:
    return Studio(Board(settings), camera)


@cache
def _source(settings: BoardSettings, camera: CameraModel) -> tuple[list[shoot.Shot], Iterator[shoot.Shot]]:
    board, rng = Board(settings), np.random.default_rng(1)
    return [], shoot.good(studio(settings, camera), board, camera, rng)


def shots(settings: BoardSettings, camera: CameraModel, count: int) -> list[shoot.Shot]:
    """The first ones; they are always the same."""
    made, source = _source(settings, camera)
    made.extend(next(source) for _ in range(count - len(made)))
    return made[:count]


def flat_on(distance: float, x: float = 0.0, y: float = 0.0, spin: float = 0.0) -> np.ndarray:
    """Pose of a default board's origin, seen without tilt; x, y of its middle [m]."""
    pose = np.eye(4)
    cosine, sine = np.cos(spin), np.sin(spin)
    pose[:2, :2] = [[cosine, -sine], [sine, cosine]]
    middle = np.array([0.12, 0.09, 0.0])
    pose[:3, 3] = np.array([x, y, distance]) - pose[:3, :3] @ middle
    return pose


SHARP = Flaws(blur=0.5, noise=2.0)
