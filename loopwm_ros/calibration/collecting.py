"""Takes pictures into a session: each is of use, or refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from loopwm_ros.calibration.board import Board, Detection
from loopwm_ros.calibration.overlay import annotated
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.shots import Shot
from loopwm_ros.calibration.sources import Picture
from loopwm_ros.calibration.views import View
from loopwm_ros.errors import CalibrationError, LoopWMError, SensorError
from loopwm_ros.types import U8

OVERLAYS, LATEST = "overlays", "latest.png"


@dataclass(frozen=True)
class Progress:
    """How far a session is."""

    bars: tuple[tuple[str, float], ...]  # name, and share from 0 to 1 of what is needed
    hint: str  # what to show next, in words
    enough: bool


class Looker(Protocol):
    """Says what is seen in a picture, knowing those that were taken before."""

    def look(self, picture: Picture, image: U8) -> View:
        """What is seen; it counts as taken.

        Raises:
            SensorError: the picture is of no use, and why; nothing has changed.
        """

    def restart(self, shots: list[Shot]) -> None:
        """These were taken, and no others."""

    def progress(self) -> Progress:
        """How far those taken lead."""


def detection_of(board: Board, shot: Shot) -> Detection:
    """What was seen in a sample.

    Raises:
        CalibrationError: it has corners that the board has not, or another number of pixels.
    """
    ids = np.array(shot.ids, dtype=np.int64)
    if (
        len(shot.ids) != len(shot.pixels)
        or not len(ids)
        or not 0 <= ids.min() <= ids.max() < len(board.corners)
    ):
        raise CalibrationError(f"sample {shot.name} is damaged: its corners are not the board's; undo it")
    return Detection(ids, board.corners[ids], np.array(shot.pixels, dtype=np.float64))


def view_of(board: Board, shot: Shot, name: str | None = None) -> View:
    """A sample as a view, named as the sample is where no name is given."""
    return View(name or shot.name, detection_of(board, shot), shot.size, shot.sharpness)


class Collector:
    """Offers pictures to a looker and keeps what it takes, with a drawing of each."""

    def __init__(
        self, session: Session, looker: Looker, keep_refused: bool = False, copy: bool = True
    ) -> None:
        """`copy` keeps the pictures themselves; without it samples and drawings alone."""
        self.session, self._looker = session, looker
        self._keep_refused, self._copy = keep_refused, copy
        self.last = ""  # what became of the last picture, in words
        looker.restart(session.shots)

    def offer(self, picture: Picture, note: bool = True) -> Shot | None:
        """Take a picture if it is of use; else None, and `last` says why. `note`: remember a refusal, too.

        Raises:
            CalibrationError: the session cannot be written.
        """
        image: U8 | None = None
        try:
            image = picture.read()
            view = self._looker.look(picture, image)
        except (SensorError, CalibrationError) as error:
            self._refused(picture, image, error, note)
            return None
        try:
            shot = self.session.keep(image if self._copy else None, _shot(view, picture))
        except LoopWMError:
            self._looker.restart(self.session.shots)
            raise
        self.last = f"{shot.name} is kept: {len(view.detection.ids)} corners"
        self._draw(image, view.detection, f"{picture.source}: {self.last}", f"{OVERLAYS}/{shot.name}.png")
        return shot

    def undo(self, name: str | None = None) -> Shot:
        """Take back a sample, the last one by default.

        Raises:
            CalibrationError: there is none.
        """
        undone = self.session.undo(name)
        (self.session.folder / OVERLAYS / f"{undone.name}.png").unlink(missing_ok=True)
        self._looker.restart(self.session.shots)
        self.last = f"{undone.name} is taken back"
        return undone

    def progress(self) -> Progress:
        """How far the samples lead."""
        return self._looker.progress()

    def _refused(self, picture: Picture, image: U8 | None, error: LoopWMError, note: bool) -> None:
        self.last = f"refused: {error}"
        if note:
            self.session.refuse(picture.source, str(error), image if self._keep_refused else None)
        if image is not None:
            self._draw(image, None, self.last, LATEST)

    def _draw(self, image: U8, detection: Detection | None, words: str, *names: str) -> None:
        drawing = annotated(image, detection, words)
        for name in (LATEST, *names):
            self.session.write(name, drawing)


def _shot(view: View, picture: Picture) -> Shot:
    return Shot(
        source=picture.source,
        size=view.size,
        sharpness=view.sharpness,
        stamp=picture.stamp,
        joints=() if picture.joints is None else tuple(picture.joints.tolist()),
        ids=tuple(view.detection.ids.tolist()),
        pixels=tuple((float(x), float(y)) for x, y in view.detection.pixels),
    )
