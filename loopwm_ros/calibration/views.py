"""Views of a board that a lens is calibrated from; each is of use, or refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from loopwm_ros.calibration.board import Board, Detection
from loopwm_ros.calibration.coverage import Coverage, Placement, coverage, placement
from loopwm_ros.calibration.sharpness import edge_width
from loopwm_ros.config.arm import MAX_SIDE
from loopwm_ros.errors import SensorError
from loopwm_ros.types import U8

MAX_VIEWS = 500
SHARP = 4.0  # widest edge [px]: OpenCV's pictures have 2.2 to 2.9; at 5, errors of corners have doubled
SHARP_SHARE = 0.002  # of the picture's width, where that is more: large pictures are finer than their lens
SAME = 0.01  # of the picture's diagonal: the mean shift of corners below which a view is no other


@dataclass(frozen=True)
class View:
    """A board in one picture."""

    name: str
    detection: Detection
    size: tuple[int, int]  # width, height [px]
    sharpness: float  # width of edges [px]


class Views:
    """Views as they are taken."""

    def __init__(self, board: Board, size: tuple[int, int] | None = None) -> None:
        """None yet; `size` (width, height) of all pictures, that of the first where None."""
        self._board, self._size = board, size
        self._asked = size is not None
        self._views: list[View] = []
        self._places: list[Placement] = []

    @property
    def views(self) -> tuple[View, ...]:
        """In the order in which they were taken."""
        return tuple(self._views)

    def coverage(self) -> Coverage:
        """What they show so far."""
        return coverage(self._places, [view.detection for view in self._views], self._size)

    def add(self, name: str, image: U8) -> View:
        """Take a picture, (height, width) grey or (height, width, 3) RGB.

        Raises:
            SensorError: it is of no use, with the reason; nothing has changed.
        """
        self._check_room(name)
        grey = _grey(name, image)
        size = (grey.shape[1], grey.shape[0])
        if self._size not in (None, size):
            raise SensorError(f"{name} has {_text(size)} pixels; expected {_text(self._size)}, as the others")
        try:
            detection = self._board.detect(grey)
        except SensorError as error:
            raise SensorError(f"{name}: {error}") from None
        view = View(name, detection, size, edge_width(self._board, grey, detection))
        limit = max(SHARP, SHARP_SHARE * size[0])
        if not view.sharpness <= limit:
            raise SensorError(
                f"{name} is blurred: edges {view.sharpness:.1f} px wide, {limit:.1f} px at most are good; "
                "hold board and camera still, focus, or light it better"
            )
        self._check_new(view)
        self.restore(view)
        return view

    def restore(self, view: View) -> None:
        """Take a view that was found good before."""
        self._size = view.size
        self._views.append(view)
        self._places.append(placement(self._board, view.detection, view.size))

    def undo(self) -> View:
        """Take back the last view.

        Raises:
            SensorError: there is none.
        """
        if not self._views:
            raise SensorError("there is no view to take back")
        self._places.pop()
        view = self._views.pop()
        if not self._views and not self._asked:
            self._size = None
        return view

    def _check_room(self, name: str) -> None:
        if any(view.name == name for view in self._views):
            raise SensorError(f"there is a view named {name} already; expected another name")
        if len(self._views) >= MAX_VIEWS:
            raise SensorError(f"{name} is one too many: {MAX_VIEWS} views are taken, far more than needed")

    def _check_new(self, view: View) -> None:
        limit = SAME * float(np.hypot(*view.size))
        for other in self._views:
            shift = _shift(view.detection, other.detection)
            if shift < limit:
                raise SensorError(
                    f"{view.name} shows the same as {other.name}: corners moved by {shift:.1f} px, at least "
                    f"{limit:.1f} px are of use; move or tilt the board"
                )


def _shift(one: Detection, other: Detection) -> float:
    """Mean distance of corners that both show [px]; infinity where they are less than half of them."""
    common, first, second = np.intersect1d(one.ids, other.ids, return_indices=True)
    if 2 * len(common) < max(len(one.ids), len(other.ids)):
        return float("inf")
    return float(np.linalg.norm(one.pixels[first] - other.pixels[second], axis=1).mean())


def _grey(name: str, image: U8) -> U8:
    fits = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not fits or not image.size:
        raise SensorError(
            f"{name} is no picture: {image.dtype} of shape {image.shape}; expected uint8, grey or RGB"
        )
    if max(image.shape[:2]) > MAX_SIDE:
        raise SensorError(f"{name} has {image.shape[1]}x{image.shape[0]} pixels; at most {MAX_SIDE} a side")
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _text(size: tuple[int, int] | None) -> str:
    return "x".join(map(str, size or ()))
