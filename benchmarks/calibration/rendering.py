"""Pictures of a board through any lens, exact to a thousandth of a pixel; where everything is, is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from loopwm_ros.calibration.board import Board
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.processing.lens import rays
from loopwm_ros.types import F64, U8

PAPER = 120  # pixels of the drawn board a square
SAMPLES = 4  # a pixel's side
WALL, WHITE = 110, 235  # grey of what is behind, and of the paper


@dataclass(frozen=True)
class Flaws:
    """What is wrong with a picture."""

    blur: float = 0.0  # standard deviation [px]
    noise: float = 0.0  # standard deviation, of 255
    light: float = 1.0  # brightness at the left edge; 1 at the right


class Studio:
    """Draws one board through one camera."""

    def __init__(self, board: Board, camera: CameraModel) -> None:
        self._board, self._camera = board, camera
        settings = board.settings
        size = (settings.columns * PAPER, settings.rows * PAPER)
        drawn = checkerboard(*size) if board.charuco is None else board.charuco.generateImage(size)
        self._paper = cv2.copyMakeBorder(drawn, PAPER, PAPER, PAPER, PAPER, cv2.BORDER_CONSTANT, value=255)

    def picture(self, pose: F64, flaws: Flaws, rng: np.random.Generator) -> U8:
        """Grey image (height, width) of the board at `pose`, 4x4 in the optical frame."""
        inverse = np.linalg.inv(pose[:3, [0, 1, 3]])
        plane = _all_rays(self._camera) @ inverse.T
        with np.errstate(divide="ignore", invalid="ignore"):
            across = plane[:, :2] / plane[:, 2:]
        size = (self._camera.height * SAMPLES, self._camera.width * SAMPLES)
        at = (across / self._board.settings.square + 1.0) * PAPER - 0.5
        at[~(plane[:, 2] > 0)] = -1e6
        x, y = (at[:, k].reshape(size).astype(np.float32) for k in (0, 1))
        paper = self._paper.astype(np.float32) * (WHITE / 255)
        fine = cv2.remap(paper, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=WALL)
        image = cv2.resize(fine, (self._camera.width, self._camera.height), interpolation=cv2.INTER_AREA)
        if flaws.blur > 0:
            image = cv2.GaussianBlur(image, (0, 0), flaws.blur)
        image = image * np.linspace(flaws.light, 1.0, self._camera.width)
        image = image + rng.normal(0.0, flaws.noise, image.shape) if flaws.noise > 0 else image
        return np.clip(np.round(image), 0, 255).astype(np.uint8)


@lru_cache(maxsize=2)  # a hundred megabytes each and more
def _all_rays(camera: CameraModel) -> F64:
    """Of each sample of each pixel, row by row, at depth 1."""
    across = (np.arange(camera.width * SAMPLES) + 0.5) / SAMPLES - 0.5
    down = (np.arange(camera.height * SAMPLES) + 0.5) / SAMPLES - 0.5
    grid = np.stack(np.meshgrid(across, down), axis=-1)
    return rays(camera, grid.reshape(-1, 2))


def checkerboard(width: int, height: int) -> U8:
    """Squares of PAPER pixels, black at the upper left."""
    row, column = np.mgrid[:height, :width] // PAPER
    return ((row + column) % 2 * 255).astype(np.uint8)
