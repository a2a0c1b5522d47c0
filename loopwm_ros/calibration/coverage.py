"""How much the views show of what a lens needs; measures of ROS's camera_calibration, plus a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from loopwm_ros.calibration.board import Board, Detection
from loopwm_ros.types import F64

NEEDED = (0.7, 0.7, 0.4, 0.5)  # range of x, y, size and skew that is complete, as ROS asks for
GRID = (6, 8)  # cells of the picture, rows and columns
SEEN = 0.8  # share of the cells that must hold a corner
FEWEST_VIEWS = 10
_ROWS = ("top", "top", "middle", "middle", "bottom", "bottom")
_COLUMNS = ("left", "left", "left", "centre", "centre", "right", "right", "right")


@dataclass(frozen=True)
class Placement:
    """Where and how a board is in a picture, each from 0 to 1."""

    x: float
    y: float
    size: float
    skew: float


@dataclass(frozen=True)
class Coverage:
    """What the views show so far; shares are of what is needed, from 0 to 1."""

    x: float
    y: float
    size: float
    skew: float
    grid: NDArray[np.int64]  # corners seen in each cell of the picture, GRID
    missing: tuple[str, ...]  # what to do, in words

    @property
    def complete(self) -> bool:
        """Is nothing missing?"""
        return not self.missing

    def hint(self) -> str:
        """What to show next, in words."""
        return "; ".join(self.missing) if self.missing else "enough is seen"


def placement(board: Board, detection: Detection, size: tuple[int, int]) -> Placement:
    """Of one view; `size` is the picture's width and height [px]."""
    width, height = size
    hull = cv2.convexHull(detection.pixels.astype(np.float32))
    area = float(cv2.contourArea(hull))
    border = np.sqrt(area)  # as ROS: near the edge the board cannot be centred
    x, y = detection.pixels.mean(axis=0)
    return Placement(
        x=_share(x - border / 2, width - border),
        y=_share(y - border / 2, height - border),
        size=min(1.0, float(np.sqrt(area / (width * height)))),
        skew=min(1.0, 2.0 * abs(np.pi / 2 - _corner_angle(board, detection))),
    )


def coverage(
    places: Sequence[Placement], detections: Sequence[Detection], size: tuple[int, int] | None
) -> Coverage:
    """Of all views of pictures of one size."""
    grid = np.zeros(GRID, dtype=np.int64)
    if size is not None:
        for detection in detections:
            cell = (detection.pixels[:, ::-1] / size[::-1] * GRID).astype(int)
            np.add.at(grid, tuple(np.clip(cell, 0, np.array(GRID) - 1).T), 1)
    values = np.array([[p.x, p.y, p.size, p.skew] for p in places]).reshape(-1, 4)
    low = np.append(values[:, :2].min(axis=0), [0.0, 0.0]) if len(values) else np.zeros(4)
    high = values.max(axis=0) if len(values) else np.zeros(4)
    shares = np.clip((high - low) / NEEDED, 0.0, 1.0)
    missing = [*_number(len(places)), *_places(shares, low, high), *_cells(grid)]
    x, y, large, skew = (float(share) for share in shares)
    return Coverage(x, y, large, skew, grid, tuple(missing))


def _share(value: float, whole: float) -> float:
    return float(np.clip(value / whole, 0.0, 1.0)) if whole > 0 else 0.5


def _corner_angle(board: Board, detection: Detection) -> float:
    """Angle that the board's corner shows in the picture [rad]; a right one where it is seen flat on."""
    found, _ = cv2.findHomography(detection.points[:, :2], detection.pixels)
    if not np.any(found):  # None, too, whatever the stubs say
        return np.pi / 2
    ends = board.corners[[0, board.shape[0] - 1, -1], :2]
    upper_left, upper_right, lower_right = cv2.perspectiveTransform(ends.reshape(-1, 1, 2), found)[:, 0]
    one, other = upper_left - upper_right, lower_right - upper_right
    cosine = one @ other / max(1e-12, float(np.linalg.norm(one) * np.linalg.norm(other)))
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _number(count: int) -> list[str]:
    more = FEWEST_VIEWS - count
    return [f"take {more} more view{'s' if more > 1 else ''}"] if more > 0 else []


def _places(shares: F64, low: F64, high: F64) -> list[str]:
    words = []
    for axis, (before, after) in enumerate((("left", "right"), ("top", "bottom"))):
        if shares[axis] < 1.0:
            words.append(f"move it to the {before if low[axis] > 1.0 - high[axis] else after}")
    if shares[2] < 1.0:
        words.append("bring it closer")
    if shares[3] < 1.0:
        words.append("tilt it more")
    return words


def _cells(grid: NDArray[np.int64]) -> list[str]:
    empty = np.argwhere(grid == 0)
    if len(empty) <= (1.0 - SEEN) * grid.size:
        return []
    names = [f"{_ROWS[row]} {_COLUMNS[column]}" for row, column in empty]
    return [f"cover the {max(sorted(set(names)), key=names.count)}"]
