"""Pictures with what was seen in them drawn on top."""

from __future__ import annotations

import cv2
import numpy as np

from loopwm_ros.calibration.board import Detection
from loopwm_ros.types import F64, U8

SIDE = 960  # [px] of the longer side of a drawing, at most
SEEN, FIRST, ARROW, BAR = (0, 158, 115), (213, 94, 0), (230, 159, 0), (27, 32, 38)  # RGB
SHIFT = 4  # fractional bits of drawn coordinates
ARROWS = 100.0  # times that residuals are drawn longer than they are


def annotated(image: U8, detection: Detection | None, words: str, residuals: F64 | None = None) -> U8:
    """RGB drawing of a picture, (height, width) or (height, width, 3), with a line of words below.

    Corners are circled, the first one in orange; `residuals` (m, 2) [px] are drawn ARROWS times longer.
    """
    scale = min(1.0, SIDE / max(image.shape[:2]))
    rgb = image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    drawn = rgb.copy()
    if scale < 1.0:
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        drawn = np.asarray(small, dtype=np.uint8)
    if detection is not None:
        pixels = (detection.pixels + 0.5) * scale - 0.5
        for number, (x, y) in zip(detection.ids, pixels, strict=True):
            _circle(drawn, x, y, FIRST if number == 0 else SEEN)
        for (x, y), (dx, dy) in zip(pixels, (residuals if residuals is not None else []), strict=False):
            _arrow(drawn, (x, y), (x + dx * ARROWS * scale, y + dy * ARROWS * scale))
    size = max(0.4, drawn.shape[1] / 1300)
    foot = np.full((round(34 * size) + 6, drawn.shape[1], 3), BAR, dtype=np.uint8)
    place = (8, foot.shape[0] - round(11 * size))
    cv2.putText(foot, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([drawn, foot])


def _fixed(value: float) -> int:
    return round(float(value) * (1 << SHIFT))


def _circle(drawn: U8, x: float, y: float, colour: tuple[int, int, int]) -> None:
    radius = max(3.0, drawn.shape[1] / 160)
    cv2.circle(drawn, (_fixed(x), _fixed(y)), _fixed(radius), colour, 2, cv2.LINE_AA, SHIFT)


def _arrow(drawn: U8, start: tuple[float, float], end: tuple[float, float]) -> None:
    places = [(_fixed(x), _fixed(y)) for x, y in (start, end)]
    cv2.line(drawn, places[0], places[1], ARROW, 2, cv2.LINE_AA, SHIFT)
