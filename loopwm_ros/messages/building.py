"""Building messages of either library's classes."""

from __future__ import annotations

import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopwm_ros.config import CameraConfig
from loopwm_ros.types import F64, U8, JointState, JointTrajectory, PointPaths

Message = Any  # rclpy and rosbags share no base class
SequenceMaker = Callable[[ArrayLike, str], Any]  # values, typecode 'd' (float64) or 'B' (uint8)

MESSAGE_TYPES = (
    "builtin_interfaces/msg/Duration",
    "builtin_interfaces/msg/Time",
    "geometry_msgs/msg/Point",
    "geometry_msgs/msg/PointStamped",
    "geometry_msgs/msg/Quaternion",
    "geometry_msgs/msg/Transform",
    "geometry_msgs/msg/Vector3",
    "rosgraph_msgs/msg/Clock",
    "sensor_msgs/msg/CameraInfo",
    "sensor_msgs/msg/CompressedImage",
    "sensor_msgs/msg/Image",
    "sensor_msgs/msg/JointState",
    "sensor_msgs/msg/RegionOfInterest",
    "std_msgs/msg/Bool",
    "std_msgs/msg/Float64",
    "std_msgs/msg/Float64MultiArray",
    "std_msgs/msg/Header",
    "std_msgs/msg/MultiArrayLayout",
    "trajectory_msgs/msg/JointTrajectory",
    "trajectory_msgs/msg/JointTrajectoryPoint",
    "trajectory_msgs/msg/MultiDOFJointTrajectory",
    "trajectory_msgs/msg/MultiDOFJointTrajectoryPoint",
)


def numpy_sequence(values: ArrayLike, code: str) -> NDArray[Any]:
    """Number sequence as rosbags wants it."""
    return np.ascontiguousarray(values, dtype=np.dtype(code)).ravel()


def array_sequence(values: ArrayLike, code: str) -> array.array[Any]:
    """Number sequence as rclpy wants it: `array.array` is copied whole, a NumPy array item by item."""
    return array.array(code, numpy_sequence(values, code).tobytes())


def split_seconds(seconds: float) -> tuple[int, int]:
    """Whole seconds and nanoseconds, rounded to the nearest nanosecond."""
    sec, nanosec = divmod(round(seconds * 1e9), 10**9)
    return sec, nanosec


class MessageFactory:
    """Builds messages of the given classes, every field set with the exact Python type it needs.

    rclpy does not check field types unless told to, and corrupts what it does not expect.
    """

    def __init__(self, types: Mapping[str, Callable[..., Message]], sequence: SequenceMaker) -> None:
        """Use the classes of `types` (at least MESSAGE_TYPES) and `sequence` for number sequences.

        `sequence` is `array_sequence` for rclpy and `numpy_sequence` for rosbags.
        """
        if missing := [name for name in MESSAGE_TYPES if name not in types]:
            raise KeyError(f"message types missing: {', '.join(missing)}")
        self._types = types
        self._sequence = sequence

    def _new(self, kind: str, **fields: object) -> Message:
        return self._types[kind](**fields)

    def time(self, stamp: float) -> Message:
        """builtin_interfaces/Time."""
        sec, nanosec = split_seconds(stamp)
        return self._new("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)

    def header(self, stamp: float, frame: str = "") -> Message:
        """std_msgs/Header."""
        return self._new("std_msgs/msg/Header", stamp=self.time(stamp), frame_id=frame)

    def clock(self, now: float) -> Message:
        """rosgraph_msgs/Clock."""
        return self._new("rosgraph_msgs/msg/Clock", clock=self.time(now))

    def joint_state(self, joints: JointState, names: Sequence[str]) -> Message:
        """sensor_msgs/JointState without efforts."""
        return self._new(
            "sensor_msgs/msg/JointState",
            header=self.header(joints.stamp),
            name=list(names),
            position=self._sequence(joints.position, "d"),
            velocity=self._sequence(joints.velocity, "d"),
            effort=self._sequence((), "d"),
        )

    def compressed_image(self, stamp: float, jpeg: bytes, frame: str) -> Message:
        """sensor_msgs/CompressedImage of JPEG bytes."""
        data = self._sequence(np.frombuffer(jpeg, dtype=np.uint8), "B")
        header = self.header(stamp, frame)
        return self._new("sensor_msgs/msg/CompressedImage", header=header, format="jpeg", data=data)

    def raw_image(self, stamp: float, rgb: U8, frame: str) -> Message:
        """sensor_msgs/Image, rgb8."""
        height, width = rgb.shape[:2]
        return self._new(
            "sensor_msgs/msg/Image",
            header=self.header(stamp, frame),
            height=height,
            width=width,
            encoding="rgb8",
            is_bigendian=0,
            step=3 * width,
            data=self._sequence(rgb, "B"),
        )

    def camera_info(self, stamp: float, camera: CameraConfig) -> Message:
        """sensor_msgs/CameraInfo of an undistorted pinhole camera."""
        k = np.array([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])
        roi = self._new(
            "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return self._new(
            "sensor_msgs/msg/CameraInfo",
            header=self.header(stamp, camera.frame),
            height=camera.height,
            width=camera.width,
            distortion_model="plumb_bob",
            d=self._sequence(np.zeros(5), "d"),
            k=k.ravel(),
            r=np.eye(3).ravel(),
            p=np.hstack([k, np.zeros((3, 1))]).ravel(),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def command(self, position: F64) -> Message:
        """std_msgs/Float64MultiArray as forward_command_controller takes it."""
        layout = self._new("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
        return self._new("std_msgs/msg/Float64MultiArray", layout=layout, data=self._sequence(position, "d"))

    def trajectory(self, trajectory: JointTrajectory, names: Sequence[str]) -> Message:
        """trajectory_msgs/JointTrajectory with positions and velocities."""
        points = [
            self._point(*row)
            for row in zip(trajectory.offsets, trajectory.positions, trajectory.velocities, strict=True)
        ]
        return self._new(
            "trajectory_msgs/msg/JointTrajectory",
            header=self.header(trajectory.stamp),
            joint_names=list(names),
            points=points,
        )

    def _point(self, offset: float, position: F64, velocity: F64) -> Message:
        return self._new(
            "trajectory_msgs/msg/JointTrajectoryPoint",
            positions=self._sequence(position, "d"),
            velocities=self._sequence(velocity, "d"),
            accelerations=self._sequence((), "d"),
            effort=self._sequence((), "d"),
            time_from_start=self._duration(offset),
        )

    def _duration(self, seconds: float) -> Message:
        sec, nanosec = split_seconds(seconds)
        return self._new("builtin_interfaces/msg/Duration", sec=sec, nanosec=nanosec)

    def paths(self, paths: PointPaths, frame: str) -> Message:
        """trajectory_msgs/MultiDOFJointTrajectory of points that have no orientation: theirs is none."""
        moments = zip(*paths.points.values(), strict=True)
        return self._new(
            "trajectory_msgs/msg/MultiDOFJointTrajectory",
            header=self.header(paths.stamp, frame),
            joint_names=list(paths.points),
            points=[
                self._new(
                    "trajectory_msgs/msg/MultiDOFJointTrajectoryPoint",
                    transforms=[self._transform(position) for position in moment],
                    velocities=[],
                    accelerations=[],
                    time_from_start=self._duration(offset),
                )
                for offset, moment in zip(paths.offsets, moments, strict=False)
            ],
        )

    def _transform(self, position: F64) -> Message:
        x, y, z = (float(value) for value in position)
        return self._new(
            "geometry_msgs/msg/Transform",
            translation=self._new("geometry_msgs/msg/Vector3", x=x, y=y, z=z),
            rotation=self._new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
        )

    def point(self, stamp: float, position: F64, frame: str) -> Message:
        """geometry_msgs/PointStamped of (3,) [m]."""
        x, y, z = (float(value) for value in position)
        point = self._new("geometry_msgs/msg/Point", x=x, y=y, z=z)
        return self._new("geometry_msgs/msg/PointStamped", header=self.header(stamp, frame), point=point)

    def float64(self, value: float) -> Message:
        """std_msgs/Float64."""
        return self._new("std_msgs/msg/Float64", data=float(value))

    def boolean(self, value: bool) -> Message:
        """std_msgs/Bool."""
        return self._new("std_msgs/msg/Bool", data=bool(value))
