"""Whether a board at some pose is whole in a camera's picture, and fit to be found there."""

from __future__ import annotations

import numpy as np

from loopwm_ros.config.calibration import BoardSettings, CameraModel
from loopwm_ros.processing.lens import project_through, rays
from loopwm_ros.types import F64

MARGIN = 0.06  # of the picture's side, kept free around the board
_FRONT = 0.4  # cosine of the steepest angle that a board is seen at
_SAME_RAY = 1e-3  # a lens model folds back what it does not reach


def outline(board: BoardSettings) -> F64:
    """Places all over a board, its rim among them, in its frame (m, 3) [m]."""
    x, y = (np.linspace(0.0, count * board.square, 5) for count in (board.columns, board.rows))
    across, down = np.meshgrid(x, y)
    return np.column_stack([across.ravel(), down.ravel(), np.zeros(across.size)])


def well_in_view(camera: CameraModel, board: BoardSettings, places: F64, pose: F64, finest: float) -> bool:
    """Is all of a board in the picture, with a margin, from in front and not too small?

    Args:
        camera: that looks.
        board: its settings.
        places: its `outline` (m, 3) [m].
        pose: the board's in the optical frame (4, 4).
        finest: least side of a marker, or of a checkerboard's square, at the board's middle [px].
    """
    there = places @ pose[:3, :3].T + pose[:3, 3]
    middle = there.mean(axis=0)
    pixels = project_through(camera, there)
    size = np.array([camera.width, camera.height])
    if not (np.isfinite(pixels).all() and pose[:3, 2] @ middle > _FRONT * np.linalg.norm(middle)):
        return False
    if not ((pixels > MARGIN * size).all() and (pixels < (1.0 - MARGIN) * size).all()):
        return False
    back = rays(camera, pixels) * there[:, 2:]
    if np.abs(back - there).max() >= _SAME_RAY * middle[2]:
        return False
    side = board.marker if board.kind == "charuco" else board.square
    distance = float(np.linalg.norm(middle))
    foreshortened = float(pose[:3, 2] @ middle) / distance
    return min(camera.fx, camera.fy) * side * foreshortened >= finest * distance
