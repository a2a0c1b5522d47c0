"""Files of a hand-eye calibration: ours, one for `ros2 launch`, and that of easy_handeye2."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from loopwm_ros.calibration.easy_hand_eye import SUFFIX, easy_hand_eye_text
from loopwm_ros.config.base import load_settings
from loopwm_ros.config.calibration import CameraModel, HandEye
from loopwm_ros.errors import CalibrationError, ConfigError, MismatchError
from loopwm_ros.processing.lens import contradiction
from loopwm_ros.validation.files import write_text_atomically

NAME = "hand_eye"
_LAUNCH = '''"""A calibrated camera in tf: its optical frame in the frame that it is fixed in."""

from launch import LaunchDescription
from launch_ros.actions import Node

TRANSFORM = {{
    {transform}
}}


def generate_launch_description():
    """One static transform, until the launch ends."""
    arguments = [word for option in TRANSFORM.items() for word in option]
    return LaunchDescription(
        [
            Node(
                package="tf2_ros",
                executable="static_transform_publisher",
                name={name!r},
                arguments=arguments,
            )
        ]
    )
'''


def write_hand_eye(folder: Path, result: HandEye) -> list[Path]:
    """Write hand_eye.yaml, hand_eye.launch.py and, for easy_handeye2, ARM.calib; returns their paths.

    Raises:
        CalibrationError: the folder cannot be written to.
    """
    settings = yaml.safe_dump(result.model_dump(mode="json"), sort_keys=False)
    texts = {
        f"{NAME}.yaml": settings,
        f"{NAME}.launch.py": launch_text(result),
        f"{re.sub(r'[^A-Za-z0-9_-]', '_', result.arm)}{SUFFIX}": easy_hand_eye_text(result),
    }
    try:
        paths = [write_text_atomically(folder / name, text) for name, text in texts.items()]
    except OSError as error:
        raise CalibrationError(
            f"cannot write to {folder}: {error.strerror}; name another folder, or make room"
        ) from error
    return paths


def read_hand_eye(path: Path) -> HandEye:
    """Read hand_eye.yaml, or that of a folder.

    Raises:
        ConfigError: it is missing or not valid.
    """
    if path.suffix == SUFFIX:
        raise ConfigError(
            f"{path} is of easy_handeye2 and holds neither board nor uncertainty; expected a {NAME}.yaml, "
            "which `loopwm calibrate hand-eye` writes"
        )
    return load_settings(path / f"{NAME}.yaml" if path.is_dir() else path, HandEye)


def check_lens(hand_eye: HandEye, file: str, camera: CameraModel, camera_file: str) -> None:
    """Refuse a place that was found through another camera, of which the files say more.

    Raises:
        MismatchError: naming both files, and each value that differs.
    """
    said = "" if hand_eye.lens is None else contradiction(hand_eye.lens, camera)
    if said:
        raise MismatchError(
            f"{file} was made with another camera than that of {camera_file}: {said}. Give both of one "
            "calibration: the camera_info.yaml that it was made with, or a hand_eye.yaml made with this one "
            "(loopwm calibrate hand-eye)"
        )


def launch_text(result: HandEye) -> str:
    """A launch file that publishes the camera's static transform by tf2_ros."""
    values = (*result.camera.translation, *result.camera.rotation)
    keys = ("--x", "--y", "--z", "--qx", "--qy", "--qz", "--qw")
    options = {key: repr(value) for key, value in zip(keys, values, strict=True)}
    options |= {"--frame-id": result.parent, "--child-frame-id": result.child}
    name = re.sub(r"\W", "_", f"{result.child}_transform", flags=re.ASCII)
    lines = (f"{key!r}: {value!r}," for key, value in options.items())
    return _LAUNCH.format(transform="\n    ".join(lines), name=name)
