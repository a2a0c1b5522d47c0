"""Subscriptions of the mpc node: each callback converts and stores, nothing else."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.config import ArmConfig
from loopwm_ros.data import topics
from loopwm_ros.messages import frame_from_compressed, frame_from_raw, joint_state_from
from loopwm_ros.nodes.checked import REPEAT, listen_to_sent
from loopwm_ros.nodes.qos import SENSOR
from loopwm_ros.nodes.sensor_inbox import SensorInbox


class MpcInputs:
    """Fills the inbox from joints, images and the commands that went to the controller."""

    def __init__(self, node: Node, arm: ArmConfig, image_topic: str, inbox: SensorInbox) -> None:
        self._node, self._arm, self._inbox = node, arm, inbox
        self._image_topic = image_topic
        camera = (
            (Image, self._on_raw) if image_topic == topics.IMAGE else (CompressedImage, self._on_compressed)
        )
        self._subscriptions: list[Subscription[Any]] = [
            node.create_subscription(JointStateMessage, arm.topics.joint_states, self._on_joints, SENSOR),
            node.create_subscription(camera[0], image_topic, camera[1], SENSOR),
            *listen_to_sent(node, arm, inbox.put_sent),
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _log(self, topic: str, reason: str) -> None:
        if reason:
            self._node.get_logger().error(f"{topic}: {reason}", throttle_duration_sec=REPEAT)

    def _on_joints(self, message: JointStateMessage) -> None:
        joints = self._arm.joints
        reason = self._inbox.put_joints(lambda: joint_state_from(message, joints), time.perf_counter())
        self._log(self._arm.topics.joint_states, reason)

    def _on_compressed(self, message: CompressedImage) -> None:
        reason = self._inbox.put_frame(lambda: frame_from_compressed(message), time.perf_counter())
        self._log(self._image_topic, reason)

    def _on_raw(self, message: Image) -> None:
        reason = self._inbox.put_frame(lambda: frame_from_raw(message), time.perf_counter())
        self._log(self._image_topic, reason)
