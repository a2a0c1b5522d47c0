"""The .calib file of easy_handeye2."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import ConfigDict

from loopwm_ros.config.base import Settings, load_settings
from loopwm_ros.config.calibration import HandEye, Setup, Transform

SUFFIX = ".calib"
_TYPES: dict[Setup, Literal["eye_in_hand", "eye_on_base"]] = {
    "eye_in_hand": "eye_in_hand",
    "eye_to_hand": "eye_on_base",
}


class Vector(Settings):
    """geometry_msgs/Vector3."""

    x: float
    y: float
    z: float


class Turn(Vector):
    """geometry_msgs/Quaternion."""

    w: float


class Pose(Settings):
    """geometry_msgs/Transform."""

    translation: Vector
    rotation: Turn


class Parameters(Settings):
    """easy_handeye2_msgs/HandeyeCalibrationParameters; what else is there is not read."""

    model_config = ConfigDict(extra="ignore")

    name: str
    calibration_type: Literal["eye_in_hand", "eye_on_base"]
    robot_base_frame: str
    robot_effector_frame: str
    tracking_base_frame: str
    tracking_marker_frame: str = ""
    freehand_robot_movement: bool = True
    move_group_namespace: str = "/"
    move_group: str = "manipulator"


class EasyHandEye(Settings):
    """easy_handeye2_msgs/HandeyeCalibration: the camera in the effector's frame, or in the robot's base."""

    parameters: Parameters
    transform: Pose

    @property
    def setup(self) -> Setup:
        """As we call it."""
        return "eye_in_hand" if self.parameters.calibration_type == "eye_in_hand" else "eye_to_hand"

    @property
    def parent(self) -> str:
        """Frame that the camera is fixed in."""
        names = self.parameters
        return names.robot_effector_frame if self.setup == "eye_in_hand" else names.robot_base_frame

    @property
    def child(self) -> str:
        """The camera's optical frame."""
        return self.parameters.tracking_base_frame

    @property
    def camera(self) -> Transform:
        """Of the child in the parent."""
        at, turn = self.transform.translation, self.transform.rotation
        return Transform(translation=(at.x, at.y, at.z), rotation=(turn.x, turn.y, turn.z, turn.w))


def read_easy_hand_eye(path: Path) -> EasyHandEye:
    """Read a .calib file; it holds no board and no uncertainty.

    Raises:
        ConfigError: it is missing or no such file.
    """
    return load_settings(path, EasyHandEye)


def easy_hand_eye_text(result: HandEye) -> str:
    """Text of a .calib file, named after the arm."""
    held = result.setup == "eye_in_hand"
    parameters = Parameters(
        name=result.arm,
        calibration_type=_TYPES[result.setup],
        robot_base_frame=result.board_parent if held else result.parent,
        robot_effector_frame=result.parent if held else result.board_parent,
        tracking_base_frame=result.child,
        tracking_marker_frame="board",
    )
    x, y, z = result.camera.translation
    qx, qy, qz, qw = result.camera.rotation
    pose = Pose(translation=Vector(x=x, y=y, z=z), rotation=Turn(x=qx, y=qy, z=qz, w=qw))
    file = EasyHandEye(parameters=parameters, transform=pose)
    return str(yaml.safe_dump(file.model_dump(), sort_keys=False))
