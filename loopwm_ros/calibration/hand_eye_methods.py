"""OpenCV's hand-eye methods, which need no start: each finds the camera from poses alone."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from loopwm_ros.processing.poses import inverse, posed
from loopwm_ros.types import F64

_GRIPPER = {
    "tsai": cv2.CALIB_HAND_EYE_TSAI,
    "park": cv2.CALIB_HAND_EYE_PARK,
    "horaud": cv2.CALIB_HAND_EYE_HORAUD,
    "andreff": cv2.CALIB_HAND_EYE_ANDREFF,
    "daniilidis": cv2.CALIB_HAND_EYE_DANIILIDIS,
}
_WORLD = {"shah": cv2.CALIB_ROBOT_WORLD_HAND_EYE_SHAH, "li": cv2.CALIB_ROBOT_WORLD_HAND_EYE_LI}
METHODS = (*_GRIPPER, *_WORLD)


def by_method(name: str, links: F64, boards: F64) -> F64 | None:
    """Camera in its parent (4, 4) by one of METHODS; None where it fails or finds no rotation.

    `links` (m, 4, 4) are the board's parent in the camera's, `boards` (m, 4, 4) the board in the optical
    frame.
    """
    try:
        found = _gripper(name, links, boards) if name in _GRIPPER else _world(name, links, boards)
    except cv2.error:
        return None
    turn = found[:3, :3]
    rigid = np.isfinite(found).all() and np.allclose(turn @ turn.T, np.eye(3), atol=1e-3)
    return found if rigid and np.linalg.det(turn) > 0 else None


def mean_board(camera: F64, links: F64, boards: F64) -> F64:
    """The board in its parent (4, 4), the mean over the sights for a camera in its parent (4, 4)."""
    places = inverse(links) @ camera @ boards
    turn = Rotation.from_matrix(places[:, :3, :3]).mean().as_matrix()
    return posed(turn, np.median(places[:, :3, 3], axis=0))


def _gripper(name: str, links: F64, boards: F64) -> F64:
    hands = inverse(links)
    turn, shift = cv2.calibrateHandEye(*_parts(hands), *_parts(boards), method=_GRIPPER[name])
    return _pose(turn, shift)


def _world(name: str, links: F64, boards: F64) -> F64:
    found = cv2.calibrateRobotWorldHandEye(*_parts(boards), *_parts(links), method=_WORLD[name])
    _, _, turn, shift = found
    return inverse(_pose(turn, shift))


def _parts(poses: F64) -> tuple[list[F64], list[F64]]:
    return [pose[:3, :3] for pose in poses], [pose[:3, 3] for pose in poses]


def _pose(turn: object, shift: object) -> F64:
    return posed(np.asarray(turn, dtype=np.float64), np.asarray(shift, dtype=np.float64).ravel())
