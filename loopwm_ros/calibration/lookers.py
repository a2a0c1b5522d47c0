"""What each step of a calibration wants to see."""

from __future__ import annotations

import numpy as np

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.collecting import Progress, view_of
from loopwm_ros.calibration.samples import spread
from loopwm_ros.calibration.shots import Shot
from loopwm_ros.calibration.sources import Picture
from loopwm_ros.calibration.verdict import FRAMES, POSES, TURN
from loopwm_ros.calibration.views import View, Views
from loopwm_ros.config import ArmConfig
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, U8

APART = 0.05  # [rad] that some joint must have moved by


class LensLooker:
    """Views from all sides, sharp and unlike each other."""

    def __init__(self, board: Board, size: tuple[int, int] | None = None) -> None:
        self._board, self._size = board, size
        self._views = Views(board, size)

    def look(self, picture: Picture, image: U8) -> View:
        return self._views.add(picture.source, image)

    def restart(self, shots: list[Shot]) -> None:
        self._views = Views(self._board, self._size)
        for shot in shots:
            self._views.restore(view_of(self._board, shot, shot.source))

    def progress(self) -> Progress:
        seen = self._views.coverage()
        bars = (
            ("left to right", seen.x),
            ("top to bottom", seen.y),
            ("close", seen.size),
            ("tilt", seen.skew),
        )
        cells = ("cells of the picture", float((seen.grid > 0).mean()))
        return Progress((*bars, cells), seen.hint(), seen.complete)


class PoseLooker:
    """The board before the arm's camera at joint positions unlike each other, the arm standing still."""

    def __init__(self, board: Board, arm: ArmConfig, camera: CameraModel) -> None:
        self._lens = LensLooker(board, (camera.width, camera.height))
        self._kinematics = Kinematics(arm)
        self._joints: list[F64] = []

    def look(self, picture: Picture, image: U8) -> View:
        joints = joints_of(picture)
        moved = [float(np.abs(joints - other).max()) for other in self._joints]
        if moved and min(moved) < APART:
            raise SensorError(
                f"{picture.source}: the arm is where it was in sample {np.argmin(moved) + 1}; move a joint "
                f"by at least {np.rad2deg(APART):.0f} degrees, and turn the tool"
            )
        view = self._lens.look(picture, image)
        self._joints.append(joints)
        return view

    def restart(self, shots: list[Shot]) -> None:
        self._lens.restart(shots)
        self._joints = [np.array(shot.joints) for shot in shots]

    def progress(self) -> Progress:
        count = len(self._joints)
        turn = self._turn()
        bars = (("poses", min(1.0, count / POSES)), ("turns about two axes", min(1.0, turn / TURN)))
        words = []
        if count < POSES:
            words.append(f"{POSES - count} more poses")
        if turn < TURN:
            words.append("turn the tool more about another axis, as far as the board is seen")
        return Progress(bars, "; ".join(words) or "enough is seen", not words)

    def _turn(self) -> float:
        """RMS turn about the axis that was turned about second most [degrees]."""
        if len(self._joints) < 3:
            return 0.0
        tools = [self._kinematics.mount(joints)[0][:3, :3] for joints in self._joints]
        return float(np.rad2deg(spread(np.stack(tools))[0, 1]))


class TrackLooker:
    """The board while the arm moves: blurred a little, and like the one before, is as it must be."""

    def __init__(self, board: Board, camera: CameraModel) -> None:
        self._board, self._size, self._count = board, (camera.width, camera.height), 0

    def look(self, picture: Picture, image: U8) -> View:
        joints_of(picture)
        size = (image.shape[1], image.shape[0])
        if size != self._size:
            raise SensorError(f"{picture.source} has {size} pixels; the camera's model is for {self._size}")
        try:
            found = self._board.detect(image)
        except SensorError as error:
            raise SensorError(f"{picture.source}: {error}") from None
        self._count += 1
        return View(picture.source, found, size, 0.0)

    def restart(self, shots: list[Shot]) -> None:
        self._count = len(shots)

    def progress(self) -> Progress:
        more = FRAMES - self._count
        hint = f"{more} more pictures while the arm moves" if more > 0 else "enough is seen"
        return Progress((("pictures", min(1.0, self._count / FRAMES)),), hint, more <= 0)


def joints_of(picture: Picture) -> F64:
    """The joints at a picture.

    Raises:
        SensorError: they are not known.
    """
    if picture.joints is None:
        raise SensorError(f"{picture.source}: the joints at it are not known")
    return picture.joints
