"""Pictures for a calibration from a folder or from recordings; live ones: nodes/calibration_source.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import Field

from loopwm_ros.calibration.pictures import read_picture
from loopwm_ros.calibration.standstill import one_of_each, still_joints
from loopwm_ros.config import ArmConfig, Settings, load_settings
from loopwm_ros.data import topics
from loopwm_ros.data.bags import find_bags, read_messages
from loopwm_ros.data.reader import Log, images_of, rows_of
from loopwm_ros.data.series import Series
from loopwm_ros.errors import BagError, CalibrationError, SensorError
from loopwm_ros.messages import joint_state_from
from loopwm_ros.processing.images import SUFFIXES, decode_image
from loopwm_ros.types import F64, U8

JOINTS = "joints.yaml"


@dataclass(frozen=True)
class Picture:
    """A picture that may be of use, and what is known of it."""

    source: str  # a name that no other picture of the session has
    read: Callable[[], U8]  # (height, width) or (height, width, 3) RGB; raises a LoopWMError
    stamp: float = 0.0  # by the camera's clock [s]
    joints: F64 | None = None  # at the stamp [rad], (n,)


class FolderJoints(Settings):
    """Contents of `joints.yaml` beside pictures: the joints at each, and what order they are in."""

    joints: tuple[str, ...]
    positions: dict[str, tuple[float, ...]] = Field(description="by file name [rad]")


def folder_pictures(folder: Path, arm: ArmConfig | None = None) -> list[Picture]:
    """PNG and JPEG files of a folder by name; with an arm, those whose joints stand in `joints.yaml`.

    Raises:
        CalibrationError: there are none, or joints.yaml is of other joints.
        ConfigError: joints.yaml is missing or no such file.
    """
    if not folder.is_dir():
        raise CalibrationError(f"no folder of pictures at {folder}")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise CalibrationError(f"no pictures in {folder}; expected files that end in {', '.join(SUFFIXES)}")
    positions = {} if arm is None else _folder_joints(folder / JOINTS, arm)
    return [
        Picture(path.name, partial(read_picture, path), joints=positions.get(path.name)) for path in paths
    ]


def _folder_joints(path: Path, arm: ArmConfig) -> dict[str, F64]:
    found = load_settings(path, FolderJoints)
    if sorted(found.joints) != sorted(arm.joints):
        raise CalibrationError(
            f"{path} has joints {', '.join(found.joints)}; arm '{arm.name}' has {', '.join(arm.joints)}"
        )
    if short := [name for name, values in found.positions.items() if len(values) != len(arm.joints)]:
        raise CalibrationError(
            f"{path}: {short[0]} has another number of values than the {len(arm.joints)} joints"
        )
    columns = [found.joints.index(name) for name in arm.joints]
    return {name: np.array(values)[columns] for name, values in found.positions.items()}


@dataclass(frozen=True)
class Recording:
    """What one recording holds for a calibration."""

    pictures: list[Picture]  # by stamp
    joints: Series  # [rad], (m, n); empty where no arm was named


def read_recordings(root: Path, topic: str, arm: ArmConfig | None = None) -> list[Recording]:
    """All recordings (rosbag2) in `root`. Pictures have joints where an arm is named, interpolated.

    Raises:
        BagError: there is none, one is damaged, or lacks the camera's topic or the arm's joints.
    """
    if not (found := find_bags(root)):
        raise BagError(f"no recordings in {root}; expected a rosbag2 folder or .mcap file")
    return [_recording(path, topic, arm) for path in found]


def standing(recording: Recording) -> list[Picture]:
    """One picture of each standstill of the arm, its joints those of the standstill."""
    series = recording.joints
    still = [still_joints(picture.stamp, series.stamps, series.values) for picture in recording.pictures]
    return [
        Picture(found.source, found.read, found.stamp, still[index])
        for index in one_of_each(still)
        for found in [recording.pictures[index]]
    ]


def _recording(path: Path, topic: str, arm: ArmConfig | None) -> Recording:
    types = {topic: "sensor_msgs/msg/Image", topic + topics.PACKED: "sensor_msgs/msg/CompressedImage"}
    if arm is not None:
        types[arm.topics.joint_states] = "sensor_msgs/msg/JointState"
    log, _ = read_messages(path, types)
    try:
        stamps, images = images_of(path, log, topic)
        joints = _joints(path, log, arm)
    except SensorError as error:
        raise BagError(f"{path}: {error}") from error
    covered = joints.covers(stamps, np.inf) if len(joints) else np.zeros(len(stamps), dtype=bool)
    at = joints.at(stamps) if len(joints) else None
    return Recording(
        [
            Picture(
                f"{path.name}@{stamp:.6f}",
                partial(_decoded, image),
                float(stamp),
                at[index] if at is not None and covered[index] else None,
            )
            for index, (stamp, image) in enumerate(zip(stamps, images, strict=True))
        ],
        joints,
    )


def _joints(path: Path, log: Log, arm: ArmConfig | None) -> Series:
    if arm is None:
        return Series.ordered([], [])
    rows = rows_of(path, log, arm.topics.joint_states, "joint states")
    states = [joint_state_from(message, arm.joints) for _, message in rows]
    return Series.ordered([state.stamp for state in states], [state.position for state in states])


def _decoded(image: bytes | U8) -> U8:
    return decode_image(image) if isinstance(image, bytes) else image
