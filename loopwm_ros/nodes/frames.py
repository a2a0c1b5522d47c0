"""Publishes transforms, where tf2_msgs is installed (it is not on PyPI). Nothing of ours depends on them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pinocchio as pin
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.node import Node
from std_msgs.msg import Header

from loopwm_ros.nodes.qos import LATCHED, REPORT
from loopwm_ros.types import F64


def transform(stamp: Time, parent: str, child: str, pose: F64) -> TransformStamped:
    """TransformStamped of `child` in `parent`, from a homogeneous pose (4, 4)."""
    x, y, z, w = (float(v) for v in pin.Quaternion(np.ascontiguousarray(pose[:3, :3])).coeffs())
    tx, ty, tz = (float(v) for v in pose[:3, 3])
    return TransformStamped(
        header=Header(stamp=stamp, frame_id=parent),
        child_frame_id=child,
        transform=Transform(translation=Vector3(x=tx, y=ty, z=tz), rotation=Quaternion(x=x, y=y, z=z, w=w)),
    )


class FramePublisher:
    """Sends `/tf` and `/tf_static`; does nothing without tf2_msgs."""

    def __init__(self, node: Node) -> None:
        self.available = find_spec("tf2_msgs") is not None
        if self.available:
            self._message: Any = import_module("tf2_msgs.msg").TFMessage
            self._moving = node.create_publisher(self._message, "/tf", REPORT)
            self._static = node.create_publisher(self._message, "/tf_static", LATCHED)

    def send(self, *transforms: TransformStamped) -> None:
        """Publish transforms that change."""
        if self.available:
            self._moving.publish(self._message(transforms=transforms))

    def send_static(self, *transforms: TransformStamped) -> None:
        """Publish transforms that never change, once, for late joiners too."""
        if self.available:
            self._static.publish(self._message(transforms=transforms))
