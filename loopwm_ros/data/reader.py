"""Reads episodes from recordings of `loopwm collect` and of `ros2 bag record` alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loopwm_ros.config import ArmConfig
from loopwm_ros.data import topics
from loopwm_ros.data.bags import Logged, read_messages
from loopwm_ros.data.series import Series
from loopwm_ros.errors import BagError, SensorError
from loopwm_ros.messages import (
    frame_from_raw,
    joint_state_from,
    positions_from,
    stamp_seconds,
    trajectory_from,
)
from loopwm_ros.processing.images import decode_image
from loopwm_ros.types import F64, U8, JointTrajectory

Log = Mapping[str, list[Logged]]
Clock = Callable[[F64], F64]


@dataclass(frozen=True)
class Episode:
    """One recording, in the arm's joint order. Stamps are seconds on the sensors' clock, increasing."""

    path: Path
    frame_stamps: F64  # (frames,)
    images: tuple[bytes | U8, ...]  # JPEG or PNG bytes, or RGB (height, width, 3)
    joint_position: Series  # [rad], (m, n)
    joint_velocity: Series  # [rad/s], (m, n)
    command: Series  # joint references sent to the controller [rad], (m, n)
    labels: dict[str, Series]  # true positions in the base frame [m], (m, 3)
    reward: Series  # (m, 1); empty when not recorded
    done: Series  # 0 or 1, (m, 1); empty when not recorded
    metadata: dict[str, str]

    def image(self, frame: int) -> U8:
        """RGB (height, width, 3) of one frame.

        Raises:
            BagError: the image is damaged.
        """
        data = self.images[frame]
        if not isinstance(data, bytes):
            return data
        try:
            return decode_image(data)
        except SensorError as error:
            raise BagError(f"{self.path}: frame {frame}: {error}") from error


def read_episode(path: Path, arm: ArmConfig) -> Episode:
    """Read one recording.

    Raises:
        BagError: it is cut short, damaged or foreign, or lacks a topic or joint of the arm.
    """
    log, metadata = read_messages(path, _topic_types(arm))
    try:
        return _episode(path, arm, log, metadata)
    except SensorError as error:
        raise BagError(f"{path}: {error}") from error


def _topic_types(arm: ArmConfig) -> dict[str, str]:
    return {
        arm.topics.joint_states: "sensor_msgs/msg/JointState",
        arm.position_topic: "std_msgs/msg/Float64MultiArray",
        arm.topics.trajectory: "trajectory_msgs/msg/JointTrajectory",
        topics.COMPRESSED: "sensor_msgs/msg/CompressedImage",
        topics.IMAGE: "sensor_msgs/msg/Image",
        topics.LABELS: "geometry_msgs/msg/PointStamped",
        topics.REWARD: "std_msgs/msg/Float64",
        topics.DONE: "std_msgs/msg/Bool",
    }


def rows_of(path: Path, log: Log, topic: str, what: str) -> list[Logged]:
    """Messages of a topic.

    Raises:
        BagError: there are none of it, naming what it was to hold and the topics there are.
    """
    if not log.get(topic):
        raise BagError(
            f"{path} has no messages on {topic} ({what}); it has some on: {', '.join(sorted(log)) or 'none'}"
        )
    return log[topic]


def _episode(path: Path, arm: ArmConfig, log: Log, metadata: dict[str, str]) -> Episode:
    rows = rows_of(path, log, arm.topics.joint_states, "joint states")
    states = [joint_state_from(message, arm.joints) for _, message in rows]
    stamps = [state.stamp for state in states]
    clock = _stamp_clock(np.array([logged for logged, _ in rows]), np.array(stamps))
    frame_stamps, images = images_of(path, log)
    return Episode(
        path,
        frame_stamps,
        images,
        Series.ordered(stamps, [state.position for state in states]),
        Series.ordered(stamps, [state.velocity for state in states]),
        _commands(path, arm, log, clock),
        _labels(log),
        _scalars(log.get(topics.REWARD, []), clock),
        _scalars(log.get(topics.DONE, []), clock),
        metadata,
    )


def _stamp_clock(log_times: F64, stamps: F64) -> Clock:
    """Maps log times to the clock of the stamps, through the joint states that have both.

    Makes recordings usable whose log times are wall time and whose stamps are simulated time.
    """
    known = Series.ordered(log_times, stamps[:, None])

    def convert(times: F64) -> F64:
        inside = np.clip(times, known.stamps[0], known.stamps[-1])
        return known.at(inside)[:, 0] + (times - inside)

    return convert


def images_of(path: Path, log: Log, topic: str = topics.IMAGE) -> tuple[F64, tuple[bytes | U8, ...]]:
    """Stamps, increasing, and images of a raw topic, or of its /compressed one where that was recorded.

    Raises:
        BagError: neither was.
        SensorError: a message is damaged.
    """
    if packed := log.get(topic + topics.PACKED):
        found = [(stamp_seconds(m.header.stamp), m.data.tobytes()) for _, m in packed]
    else:
        frames = [frame_from_raw(m) for _, m in rows_of(path, log, topic, "camera, raw or /compressed")]
        found = [(frame.stamp, frame.rgb) for frame in frames]
    stamps, first = np.unique([stamp for stamp, _ in found], return_index=True)
    return stamps, tuple(found[i][1] for i in first)


def _commands(path: Path, arm: ArmConfig, log: Log, clock: Clock) -> Series:
    """References on the topic of the arm's controller, else on that of the other kind of controller."""
    trajectory = arm.topics.trajectory
    prefers_trajectory = arm.controller == "joint_trajectory"
    if trajectory in log and (prefers_trajectory or arm.position_topic not in log):
        rows = log[trajectory]
        return _followed([trajectory_from(message, arm.joints) for _, message in rows], _times(rows, clock))
    rows = rows_of(path, log, arm.position_topic, "commands sent to the controller")
    return Series.ordered(
        _times(rows, clock), [positions_from(message, len(arm.joints)) for _, message in rows]
    )


def _times(rows: list[Logged], clock: Clock) -> F64:
    return clock(np.array([logged for logged, _ in rows]))


def _followed(trajectories: Sequence[JointTrajectory], times: F64) -> Series:
    """Points of each trajectory until the next one arrived. A zero stamp means: starts on arrival."""
    starts = np.array([t.stamp or arrival for t, arrival in zip(trajectories, times, strict=True)])
    stamps = [start + t.offsets for start, t in zip(starts, trajectories, strict=True)]
    ends = np.append(times[1:], np.inf)
    kept = [at < end for at, end in zip(stamps, ends, strict=True)]
    return Series.ordered(
        np.concatenate([at[keep] for at, keep in zip(stamps, kept, strict=True)]),
        np.concatenate([t.positions[keep] for t, keep in zip(trajectories, kept, strict=True)]),
    )


def _labels(log: Log) -> dict[str, Series]:
    names = [
        topic
        for topic in log
        if topic.startswith(topics.LABELS) and topic not in (topics.REWARD, topics.DONE)
    ]
    return {
        name.removeprefix(topics.LABELS): _points([message for _, message in log[name]]) for name in names
    }


def _points(messages: Sequence[Any]) -> Series:
    stamps = [stamp_seconds(message.header.stamp) for message in messages]
    return Series.ordered(stamps, [(m.point.x, m.point.y, m.point.z) for m in messages])


def _scalars(rows: list[Logged], clock: Clock) -> Series:
    return Series.ordered(_times(rows, clock), [[message.data] for _, message in rows], width=1)
