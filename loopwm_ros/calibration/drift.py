"""Is the camera still where it was calibrated? A board seen where camera, hand-eye and joints expect it."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.drift_limits import Drift, DriftLimits, Looks
from loopwm_ros.calibration.hand_eye_model import board_in_camera, frames, offsets
from loopwm_ros.calibration.in_view import outline, well_in_view
from loopwm_ros.calibration.residuals import rms
from loopwm_ros.config import ArmConfig
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import MismatchError, SensorError
from loopwm_ros.processing.images import CALIBRATED, check_picture_size
from loopwm_ros.processing.lens import project_through, rays
from loopwm_ros.types import F64, U8

# 1-sigma of a nudge [rad], [m]: tells turn from shift where one look cannot
USUAL_TURN, USUAL_SHIFT = 0.2, 0.2
PIXEL = 0.3  # 1-sigma of a corner [px]
READABLE = 12.0  # side of a marker, or of a checkerboard's square, from which the board is surely found [px]


@dataclass(frozen=True)
class _Look:
    """Corners of one picture."""

    points: F64  # where they are expected, in the optical frame (m, 3) [m]
    seen: F64  # (m, 2) [px]


class DriftCheck:
    """Looks at a board now and then; what it costs is one detection, see docs/calibration.md.

    It cannot tell a camera that moved from a board that did, or from joints that lost their zero: all three
    make the calibration wrong.
    """

    def __init__(
        self,
        arm: ArmConfig,
        camera: CameraModel,
        hand_eye: HandEye,
        board: BoardSettings,
        limits: DriftLimits,
    ) -> None:
        """Build from a calibration.

        Raises:
            ConfigError: arm or board is not usable.
            MismatchError: the calibration is of another arm.
        """
        check_arm(arm, hand_eye)
        self._camera, self._board, self._outline = camera, Board(board), outline(board)
        self._kinematics = Kinematics(arm)
        self._offsets, self._hand_eye = offsets(arm, hand_eye), hand_eye
        self._newest: deque[_Look] = deque(maxlen=limits.looks)
        self._looks = Looks(limits)
        self._enough = limits.looks  # looks in vain; at least `evidence` of them
        self._in_vain = 0  # since the board was last seen

    def clear(self) -> None:
        """Forget all looks."""
        self._newest.clear()
        self._looks.clear()
        self._in_vain = 0

    def look(self, image: U8, joints: F64) -> Drift:
        """Look once: a picture (h, w, 3) or (h, w), and measured joints (n,) [rad] at its stamp.

        A board that should be well in view and is missing, look after look, makes the camera unknown: it may
        have been knocked so far that it looks past the board. What blocked goes on to block.

        Raises:
            SensorError: another size than calibrated, no board is seen, or it should not be in view; nothing
                is learned from that.
        """
        check_size(image, self._camera)
        pose = self.expected(joints)
        try:
            found = self._board.detect(image)
        except SensorError as error:
            if not self._should_be_seen(pose):
                raise
            self._in_vain += 1
            if self._in_vain < self._enough or self._looks.state == "block":
                raise
            return self._missing(error)
        self._in_vain = 0
        points = found.points @ pose[:3, :3].T + pose[:3, 3]
        where = project_through(self._camera, points)
        if not np.isfinite(where).all():
            raise SensorError("a board is seen, which by the joints is behind the camera; is hand_eye of it?")
        miss = rms(found.pixels - where)
        angle = _angle(self._camera, found.pixels, points)
        self._newest.append(_Look(points, found.pixels))
        radians, metres = self._motion()
        turn, shift = math.degrees(radians), metres * 1e3
        what = f"the board is seen as if the camera had moved by {shift:.0f} mm and {turn:.1f} degrees"
        return self._looks.add(miss, angle, shift, turn, what)

    def _should_be_seen(self, pose: F64) -> bool:
        return well_in_view(self._camera, self._board.settings, self._outline, pose, READABLE)

    def _missing(self, why: SensorError) -> Drift:
        """What was seen before is of no use any more."""
        self._newest.clear()
        self._looks.clear()
        words = (
            f"{self._in_vain} looks in vain: the board should be in view and is not: is it covered, or has "
            f"the camera moved? ({why})"
        )
        return Drift(math.nan, math.nan, math.nan, math.nan, "unknown", words)

    def expected(self, joints: F64) -> F64:
        """Pose of the board in the optical frame (4, 4) at measured joints (n,) [rad]."""
        return board_in_camera(self._kinematics, self._hand_eye, joints + self._offsets)

    def _motion(self) -> tuple[float, float]:
        """Turn [rad] and shift [m] of the camera that bring all looks to where they are seen."""
        points = np.concatenate([look.points for look in self._newest])
        seen = np.concatenate([look.seen for look in self._newest])

        def residuals(x: F64) -> F64:
            where = project_through(self._camera, Rotation.from_rotvec(x[:3]).apply(points) + x[3:])
            off = np.nan_to_num((where - seen) / PIXEL, nan=1e3).ravel()
            return np.concatenate([off, x[:3] / USUAL_TURN, x[3:] / USUAL_SHIFT])

        x = least_squares(residuals, np.zeros(6), x_scale=(0.01,) * 6).x
        turn = Rotation.from_rotvec(x[:3])
        return float(turn.magnitude()), float(np.linalg.norm(turn.inv().apply(x[3:])))


def check_arm(arm: ArmConfig, hand_eye: HandEye) -> None:
    """Refuse a calibration of another arm.

    Raises:
        MismatchError: naming both.
    """
    parent, other = frames(arm, hand_eye.setup)
    if (hand_eye.arm, hand_eye.parent, hand_eye.board_parent) != (arm.name, parent, other):
        raise MismatchError(
            f"the hand-eye calibration is of arm '{hand_eye.arm}', {hand_eye.setup}, camera on "
            f"'{hand_eye.parent}', board on '{hand_eye.board_parent}'; this is arm '{arm.name}', which would "
            f"have '{parent}' and '{other}': calibrate this one"
        )


def check_size(image: U8, camera: CameraModel) -> None:
    """Refuse a picture of another size than the calibrated camera's.

    Raises:
        SensorError: naming both.
    """
    check_picture_size(image, (camera.width, camera.height), CALIBRATED)


def _angle(camera: CameraModel, seen: F64, points: F64) -> float:
    """RMS angle at the camera between pixels (m, 2) and the points (m, 3) that they should show [deg]."""
    first = rays(camera, seen)
    angles = np.arctan2(np.linalg.norm(np.cross(first, points), axis=1), np.sum(first * points, axis=1))
    return float(np.degrees(np.sqrt(np.mean(angles**2))))
