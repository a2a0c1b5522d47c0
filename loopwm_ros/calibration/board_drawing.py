"""What of a board is black, as rectangles (left, top, right, bottom) in the board's frame [m]."""

from __future__ import annotations

import cv2
import numpy as np

from loopwm_ros.calibration.board import Board
from loopwm_ros.types import F64


def black_rectangles(board: Board) -> F64:
    """All of them, (m, 4); those of markers abut."""
    return np.concatenate([squares(board), markers(board)])


def squares(board: Board) -> F64:
    """The black squares, (m, 4): the upper left one, and on from there."""
    settings = board.settings
    row, column = np.nonzero(np.add.outer(np.arange(settings.rows), np.arange(settings.columns)) % 2 == 0)
    return settings.square * np.column_stack([column, row, column + 1, row + 1]).astype(np.float64)


def markers(board: Board) -> F64:
    """The black bits of a ChArUco's markers, (m, 4), where OpenCV expects them; a checkerboard has none."""
    if board.charuco is None:
        return np.empty((0, 4))
    dictionary = board.charuco.getDictionary()
    bits = dictionary.markerSize + 2  # with a black border of one
    found = []
    for number, corners in zip(board.charuco.getIds().ravel(), board.charuco.getObjPoints(), strict=True):
        row, column = np.nonzero(cv2.aruco.generateImageMarker(dictionary, int(number), bits) == 0)
        bit = board.settings.marker / bits
        corner = np.round(corners[0, :2] / 1e-7) * 1e-7  # OpenCV holds them in single precision
        low = corner + bit * np.column_stack([column, row])
        found.append(np.column_stack([low, low + bit]))
    return np.concatenate(found)
