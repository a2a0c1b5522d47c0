"""A camera and an arm at rest, for the node that watches the camera."""

from __future__ import annotations

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.config import load_arm
from loopwm_ros.data import topics
from loopwm_ros.nodes import heartbeats
from loopwm_ros.nodes.calibration import NAME
from loopwm_ros.nodes.diagnostics import values_of
from loopwm_ros.nodes.qos import COMMAND, REPORT, SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import U8, JointState
from tests.ros.conftest import Bench

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)


class Eye:
    """Publishes an arm at rest, and what a camera shows."""

    def __init__(self, bench: Bench, picture: U8) -> None:
        self.picture, self.speed = picture, 0.0
        self._node, self._make = bench.node, message_factory()
        create = bench.node.create_publisher
        self._joints = create(JointStateMessage, ARM.topics.joint_states, SENSOR_SOURCE)
        self._images = create(CompressedImage, topics.COMPRESSED, SENSOR_SOURCE)
        self.info = create(CameraInfo, topics.CAMERA_INFO, SENSOR_SOURCE)
        self.states = bench.listen(DiagnosticStatus, heartbeats.CALIBRATION_TOPIC, COMMAND)
        self.reports = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
        bench.node.create_timer(0.02, self._send)

    def _send(self) -> None:
        now = self._node.get_clock().now().nanoseconds * 1e-9
        joints = JointState(now, HOME, np.full(len(HOME), self.speed))
        self._joints.publish(self._make.joint_state(joints, ARM.joints))
        self._images.publish(self._make.compressed_image(now, encode_image(self.picture, 95), "camera"))

    def state(self) -> str:
        return self.states[-1].message if self.states else ""

    def words(self) -> str:
        values = {pair.key: pair.value for pair in self.states[-1].values} if self.states else {}
        return values.get(heartbeats.WORDS, "")

    def values(self) -> dict[str, str]:
        found = [values for m in self.reports if (values := values_of(m, NAME)) is not None]
        return found[-1] if found else {}
