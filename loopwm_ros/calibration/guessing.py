"""Where camera and board may be, before it is known: enough to suggest poses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loopwm_ros.calibration.easy_hand_eye import read_easy_hand_eye
from loopwm_ros.calibration.hand_eye import calibrate_hand_eye
from loopwm_ros.calibration.hand_eye_model import frames
from loopwm_ros.calibration.samples import FEWEST, Sample
from loopwm_ros.config import ArmConfig
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye, Setup
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import CalibrationError, ConfigError
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.poses import inverse, matrix, transform
from loopwm_ros.types import F64

UNKNOWN = (0.1, 0.1, 0.1)  # 1-sigma of what is only assumed [m], [rad]


def guessed(
    arm: ArmConfig, camera: CameraModel, board: BoardSettings, setup: Setup, samples: Sequence[Sample]
) -> HandEye:
    """From the samples where they suffice, else what the arm's file and the usual way to mount things say."""
    if len(samples) >= FEWEST:
        try:
            return calibrate_hand_eye(arm, camera, samples, setup).result
        except CalibrationError:
            pass
    return assumed(arm, board, setup)


def guess_from_easy(path: Path, arm: ArmConfig, board: BoardSettings) -> HandEye:
    """The camera as a .calib file has it, and the board where it may be.

    Raises:
        ConfigError: it is missing or no such file, or has the camera in another frame than this arm's.
    """
    found = read_easy_hand_eye(path)
    frame, _ = frames(arm, found.setup)
    if found.parent != frame:
        raise ConfigError(
            f"{path} has the camera in frame '{found.parent}'; of arm '{arm.name}' it must be '{frame}' "
            f"({found.setup}): give one that has it there, or none"
        )
    return assumed(arm, board, found.setup, matrix(found.camera))


def assumed(arm: ArmConfig, board: BoardSettings, setup: Setup, place: F64 | None = None) -> HandEye:
    """Camera at `place` (4, 4) in its parent, if that is known.

    Camera beside the arm: else as the arm's file has it; the board is on the tool, facing it with the arm at
    home. Camera on the hand: else at the tool frame, looking where the tool points; the board lies flat under
    the tool at home, in the height of the workspace's floor.
    """
    centre = np.array([board.columns, board.rows, 0.0]) * board.square / 2
    home, _ = Kinematics(arm).mount(np.array(arm.home))
    if setup == "eye_to_hand":
        camera = camera_pose(arm.camera) if place is None else place
        facing = camera.copy()
        facing[:3, 3] = home[:3, 3] - facing[:3, :3] @ centre
        return _settings(arm, setup, camera, inverse(home) @ facing)
    lying = np.diag([1.0, -1.0, -1.0, 1.0])
    under = np.array([home[0, 3], home[1, 3], arm.workspace.low[2]])
    lying[:3, 3] = under - lying[:3, :3] @ centre
    return _settings(arm, setup, np.eye(4) if place is None else place, lying)


def _settings(arm: ArmConfig, setup: Setup, camera: F64, board: F64) -> HandEye:
    parent, other = frames(arm, setup)
    return HandEye(
        arm=arm.name,
        setup=setup,
        parent=parent,
        child=arm.camera.frame,
        camera=transform(camera),
        board_parent=other,
        board=transform(board),
        translation_std=UNKNOWN,
        rotation_std=UNKNOWN,
    )
