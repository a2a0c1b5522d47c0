"""Corners of squares to a twentieth of a pixel, each checked to be one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from loopwm_ros.types import F64, U8

WINDOWS = (2, 8)  # half the side of what a corner is refined from [px]
ANGLES = np.linspace(0.0, 2 * np.pi, 32, endpoint=False)
ALIKE = 0.85  # least correlation of a circle about a corner with itself turned by 180 degrees
CROOKED = 0.25  # what a lens bends lines of three corners, in their distance; a fisheye more in 1 % of places
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-4)


def refined(
    grey: U8, grid: tuple[int, int], ids: NDArray[np.int64], rough: F64, clear: float
) -> tuple[NDArray[np.int64], F64]:
    """Corners that are some, with their pixels.

    Detectors of OpenCV leave errors of 0.05 px and of up to 9 px at the rim of a fisheye's picture.

    Args:
        grey: the picture.
        grid: corners of the board along x and y.
        ids: of the corners found, row by row of the grid, (m,).
        rough: where, (m, 2) [px].
        clear: width around a corner in which there is nothing else, in squares; what is nearer pulls at it.
    """
    pixels = rough.astype(np.float32).reshape(-1, 1, 2)
    windows = np.clip(clear * _spacing(grid, ids, rough) - 1.0, *WINDOWS).astype(int)
    for window in np.unique(windows):
        chosen, size = windows == window, (int(window), int(window))
        pixels[chosen] = cv2.cornerSubPix(grey, pixels[chosen], size, (-1, -1), _STOP)
    exact = pixels[:, 0].astype(np.float64)
    good = (_symmetry(grey, exact, windows) >= ALIKE) & (_crookedness(grid, ids, exact) <= CROOKED)
    return ids[good], exact[good]


def _placed(
    grid: tuple[int, int], ids: NDArray[np.int64], pixels: F64
) -> tuple[F64, NDArray[np.int64], NDArray[np.int64]]:
    """Pixels by row and column of the board with two more around, NaN where there is none; rows; columns."""
    places = np.full((grid[1] + 4, grid[0] + 4, 2), np.nan)
    row, column = ids // grid[0] + 2, ids % grid[0] + 2
    places[row, column] = pixels
    return places, row, column


def _spacing(grid: tuple[int, int], ids: NDArray[np.int64], pixels: F64) -> F64:
    """Distance of each corner to its nearest neighbour on the board, (m,) [px]; 0 without one."""
    places, row, column = _placed(grid, ids, pixels)
    around = [places[row + i, column + j] - pixels for i, j in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    distances = np.linalg.norm(around, axis=2)
    nearest = np.where(np.isnan(distances), np.inf, distances).min(axis=0)
    return np.where(np.isfinite(nearest), nearest, 0.0)


def _crookedness(grid: tuple[int, int], ids: NDArray[np.int64], pixels: F64) -> F64:
    """How far each corner is from where two neighbours in a line with it have it, in their distance, (m,).

    The least over all lines, for a neighbour may be wrong itself; infinite without such neighbours.
    """
    places, row, column = _placed(grid, ids, pixels)
    found = []
    for i, j in ((0, 1), (1, 0), (1, 1), (1, -1)):
        far, near, after, beyond = (places[row + k * i, column + k * j] for k in (-2, -1, 1, 2))
        for made, step in (
            ((near + after) / 2, (after - near) / 2),
            (2 * near - far, near - far),
            (2 * after - beyond, beyond - after),
        ):
            apart, length = np.linalg.norm(made - pixels, axis=1), np.linalg.norm(step, axis=1)
            found.append(apart / np.maximum(length, 1e-9))
    least = np.where(np.isnan(found), np.inf, found).min(axis=0)
    return np.asarray(least, dtype=np.float64)


def _symmetry(grey: U8, pixels: F64, radii: NDArray[np.int64]) -> F64:
    """Correlation of a circle about each point with itself turned by 180 degrees, (m,).

    1 at a corner of four squares, -1 on an edge, about 0 on a plain; -1 where the circle leaves the picture.
    """
    circle = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
    at = pixels[:, None] + radii[:, None, None] * circle
    x, y = at[..., 0].astype(np.float32), at[..., 1].astype(np.float32)
    outside = (x < 0) | (y < 0) | (x > grey.shape[1] - 1) | (y > grey.shape[0] - 1)
    values = cv2.remap(grey, x, y, cv2.INTER_LINEAR).astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    turned = np.roll(values, len(ANGLES) // 2, axis=1)
    found = (values * turned).sum(axis=1) / np.maximum(1e-9, (values**2).sum(axis=1))
    return np.where(outside.any(axis=1), -1.0, found)
