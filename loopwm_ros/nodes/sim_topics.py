"""What the simulated hardware publishes."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.config import ArmConfig, CameraConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data import topics
from loopwm_ros.nodes.frames import FramePublisher, transform
from loopwm_ros.nodes.qos import SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import CameraFrame, JointState


class SimTopics:
    """Publishers of a joint state broadcaster, a camera driver and, where time is simulated, a clock."""

    def __init__(self, node: Node, arm: ArmConfig, camera: CameraConfig, clock: bool) -> None:
        """`camera`: that of the pictures; `clock`: time is simulated, and published."""
        self._camera = camera
        self._make = message_factory()
        self._clock = node.create_publisher(Clock, "/clock", SENSOR_SOURCE) if clock else None
        self._joints = node.create_publisher(JointStateMessage, arm.topics.joint_states, SENSOR_SOURCE)
        self._raw = node.create_publisher(Image, topics.IMAGE, SENSOR_SOURCE)
        self._compressed = node.create_publisher(CompressedImage, topics.COMPRESSED, SENSOR_SOURCE)
        self._info = node.create_publisher(CameraInfo, topics.CAMERA_INFO, SENSOR_SOURCE)
        self._arm, self._kinematics = arm, Kinematics(arm)
        self._frames = FramePublisher(node)
        pose = camera_pose(camera)
        self._frames.send_static(transform(self._make.time(0.0), arm.base_frame, camera.frame, pose))

    def state(self, joints: JointState) -> None:
        """Publish time, where there is a clock, and joints."""
        if self._clock:
            self._clock.publish(self._make.clock(joints.stamp))
        self._joints.publish(self._make.joint_state(joints, self._arm.joints))

    def tool(self, joints: JointState) -> None:
        """Publish the tool frame in the base frame."""
        if self._frames.available:
            pose = self._kinematics.tool_pose(joints.position)
            stamp = self._make.time(joints.stamp)
            self._frames.send(transform(stamp, self._arm.base_frame, self._arm.tool_point, pose))

    def frame(self, frame: CameraFrame, blank: bool) -> None:
        """Publish an image, black if `blank`; each form only where someone listens."""
        rgb = np.zeros_like(frame.rgb) if blank else frame.rgb
        if self._compressed.get_subscription_count():
            jpeg = encode_image(rgb)
            self._compressed.publish(self._make.compressed_image(frame.stamp, jpeg, self._camera.frame))
        if self._raw.get_subscription_count():
            self._raw.publish(self._make.raw_image(frame.stamp, rgb, self._camera.frame))
        self._info.publish(self._make.camera_info(frame.stamp, self._camera))
