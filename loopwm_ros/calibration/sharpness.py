"""How sharp a board is in a picture: the width of its squares' edges."""

from __future__ import annotations

import cv2
import numpy as np

from loopwm_ros.calibration.board import Board, Detection
from loopwm_ros.types import F64, U8

RISE = 2.563  # from 10 to 90 % of a step that a Gaussian blurs, over the Gaussian's standard deviation
STEP = 0.25  # between samples across an edge [px]
ALONG = np.linspace(0.3, 0.7, 9)  # of an edge, where it is crossed: clear of its ends
SAMPLES = 401  # across one edge at most
PLAIN = 0.45  # of a square, to either side of its edge: nearly to the middle
FEWEST_EDGES = 4


def edge_width(board: Board, image: U8, detection: Detection) -> float:
    """Median width of the edges between neighbouring corners, from 10 to 90 % of the step [px].

    `cv2.estimateChessboardSharpness` measures the same, but needs all corners of a checkerboard; its
    documentation calls 3 px the most that is good. The median forgives a shadow or a reflection.

    Returns:
        Infinity where no edge can be measured.
    """
    place = {int(i): k for k, i in enumerate(detection.ids)}
    columns = board.shape[0]
    edges = [(i, i + 1) for i in place if (i + 1) % columns and i + 1 in place]
    edges += [(i, i + columns) for i in place if i + columns in place]
    ends = [(detection.pixels[place[a]], detection.pixels[place[b]]) for a, b in edges]
    settings = board.settings
    bare = 1.0 if settings.kind == "checkerboard" else 1.0 - settings.marker / settings.square
    widths = np.array([_width(image, a, b, bare) for a, b in ends])
    widths = widths[np.isfinite(widths)]
    return float(np.median(widths)) if len(widths) >= FEWEST_EDGES else float("inf")


def _width(image: U8, a: F64, b: F64, bare: float) -> float:
    """Width of one edge; `bare` is the part of its white square that holds no marker, in lengths of the edge.

    The height of the step is twice that of its dark half, for on the other side a marker may be near.
    """
    along = b - a
    length = float(np.hypot(*along))
    half = max(PLAIN * length, 3.0)
    offsets = np.linspace(-half, half, min(SAMPLES, 2 * int(half / STEP) + 1))
    across = np.array([-along[1], along[0]]) / length
    at = a + ALONG[:, None, None] * along + offsets[None, :, None] * across
    x, y = at[..., 0].astype(np.float32), at[..., 1].astype(np.float32)
    inside = (x >= 0) & (y >= 0) & (x <= image.shape[1] - 1) & (y <= image.shape[0] - 1)
    if not inside.all():
        return float("nan")
    profile = cv2.remap(image, x, y, cv2.INTER_LINEAR).astype(np.float64).mean(axis=0)
    near = np.abs(offsets) <= max(0.25 * bare * length, 1.0)
    slopes = np.gradient(profile, offsets)
    steepest = int(np.argmax(np.abs(slopes) * near))
    plain = offsets < -0.8 * half if slopes[steepest] > 0 else offsets > 0.8 * half  # of the dark square
    height, slope = 2 * (profile[steepest] - np.median(profile[plain])), abs(slopes[steepest])
    return float(RISE * height / (np.sqrt(2 * np.pi) * slope)) if slope > 0 and height > 0 else float("inf")
