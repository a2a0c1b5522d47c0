"""Standard ROS messages to our types and back: one implementation for nodes (rclpy) and recordings.

Messages are duck-typed: rclpy's classes and the classes rosbags generates have equal attribute names.
"""

from loopwm_ros.messages.building import MESSAGE_TYPES, MessageFactory, array_sequence, numpy_sequence
from loopwm_ros.messages.reading import (
    camera_model_from,
    frame_from_compressed,
    frame_from_raw,
    joint_state_from,
    paths_from,
    positions_from,
    stamp_seconds,
    trajectory_from,
)

__all__ = [
    "MESSAGE_TYPES",
    "MessageFactory",
    "array_sequence",
    "camera_model_from",
    "frame_from_compressed",
    "frame_from_raw",
    "joint_state_from",
    "numpy_sequence",
    "paths_from",
    "positions_from",
    "stamp_seconds",
    "trajectory_from",
]
