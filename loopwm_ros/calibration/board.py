"""A calibration board, and its corners in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loopwm_ros.calibration.corners import refined
from loopwm_ros.config.calibration import BoardSettings
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.types import F64, U8

FEWEST = 8  # corners in a picture that is of use
_QUICK = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
_THOROUGH = cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_NORMALIZE_IMAGE


@dataclass(frozen=True)
class Detection:
    """A board's inner corners as seen in one image."""

    ids: NDArray[np.int64]  # (m,), 0 at the upper left, row by row
    points: F64  # on the board, z = 0 [m], (m, 3)
    pixels: F64  # (m, 2)


class Board:
    """The inner corners of a board, found again in images."""

    def __init__(self, settings: BoardSettings) -> None:
        """Build from its settings.

        Raises:
            ConfigError: OpenCV knows no such dictionary, or it has too few markers.
        """
        self.settings = settings
        self.shape = (settings.columns - 1, settings.rows - 1)  # inner corners along x and y
        column, row = np.meshgrid(np.arange(1, settings.columns), np.arange(1, settings.rows))
        flat = np.column_stack([column.ravel(), row.ravel(), np.zeros(column.size)])
        self.corners: F64 = np.asarray(flat * settings.square, dtype=np.float64)  # [m], (n, 3)
        self.charuco = _charuco(settings) if settings.kind == "charuco" else None
        # width around a corner that is clear of other squares or of markers, in squares
        self._clear = 0.5 if self.charuco is None else (1.0 - settings.marker / settings.square) / 2
        self._detector = None if self.charuco is None else _detector(self.charuco)

    def detect(self, image: U8) -> Detection:
        """Corners in an image, (height, width) or (height, width, 3) RGB.

        Raises:
            SensorError: no board is seen, or too little of it.
        """
        grey: U8 = image
        if image.ndim == 3:
            grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        ids, rough = self._checkerboard(grey) if self._detector is None else self._markers(grey)
        ids, pixels = refined(grey, self.shape, ids, rough, self._clear) if len(ids) else (ids, rough)
        if len(ids) < FEWEST:
            seen = (
                f"{len(ids)} of {len(self.corners)} corners of the board are seen"
                if len(ids)
                else "no board is seen"
            )
            raise SensorError(
                f"{seen}; expected at least {FEWEST}: show it whole, flat, sharp and evenly lit"
            )
        return Detection(ids, self.corners[ids], pixels)

    def _checkerboard(self, grey: U8) -> tuple[NDArray[np.int64], F64]:
        found, corners = cv2.findChessboardCorners(grey, self.shape, flags=_QUICK)
        if not found:  # the slower search sees through blur and noise, the quick one at any angle
            cv2.setRNGSeed(0)  # it draws at random; the same picture must show the same corners
            found, corners = cv2.findChessboardCornersSB(grey, self.shape, flags=_THOROUGH)
        if not found:
            return np.empty(0, dtype=np.int64), np.empty((0, 2))
        pixels = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
        # OpenCV starts at either end; only one has the board's colours
        upright = self._contrast(grey, pixels) >= self._contrast(grey, pixels[::-1])
        return np.arange(len(pixels)), pixels if upright else pixels[::-1].copy()

    def _contrast(self, grey: U8, pixels: F64) -> float:
        """By how much the white squares between the corners are brighter than the black ones."""
        grid = pixels.reshape(self.shape[1], self.shape[0], 2)
        centres = (grid[:-1, :-1] + grid[:-1, 1:] + grid[1:, :-1] + grid[1:, 1:]) / 4
        x, y = centres[..., 0].astype(np.float32), centres[..., 1].astype(np.float32)
        values = cv2.remap(grey, x, y, cv2.INTER_LINEAR).astype(np.float64)
        white = np.add.outer(np.arange(x.shape[0]), np.arange(x.shape[1])) % 2 == 1
        return float(values[white].mean() - values[~white].mean())

    def _markers(self, grey: U8) -> tuple[NDArray[np.int64], F64]:
        assert self._detector is not None
        corners, found, _, _ = self._detector.detectBoard(grey)
        if found is None:
            return np.empty(0, dtype=np.int64), np.empty((0, 2))
        return found.ravel().astype(np.int64), np.asarray(corners, dtype=np.float64).reshape(-1, 2)


def _charuco(settings: BoardSettings) -> Any:  # noqa: ANN401  (OpenCV's stubs lack it)
    number = getattr(cv2.aruco, settings.dictionary, None)
    if not settings.dictionary.startswith("DICT_") or number is None:
        known = ", ".join(sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_")))
        raise ConfigError(f"no marker dictionary '{settings.dictionary}'; OpenCV has {known}")
    dictionary = cv2.aruco.getPredefinedDictionary(number)
    needed, there = settings.columns * settings.rows // 2, len(dictionary.bytesList)
    if needed > there:
        raise ConfigError(
            f"the board needs {needed} markers, {settings.dictionary} has {there}; take a larger one"
        )
    size = (settings.columns, settings.rows)
    return cv2.aruco.CharucoBoard(size, settings.square, settings.marker, dictionary)


def _detector(board: Any) -> Any:  # noqa: ANN401
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    return cv2.aruco.CharucoDetector(board, cv2.aruco.CharucoParameters(), parameters)
