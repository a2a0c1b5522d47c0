"""An arm and a camera, as far as their messages go: `python -m benchmarks.executors.source`."""

from __future__ import annotations

import numpy as np
import rclpy
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage

from loopwm_ros.config import load_arm
from loopwm_ros.data import topics
from loopwm_ros.nodes.picture_source import FRAME, pictures
from loopwm_ros.nodes.processes import orphaned
from loopwm_ros.nodes.qos import SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.spin import StopRequest, new_executor, spin_until
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import JointState

ARM = "panda_rod"
SIZE = (640, 480)  # of pictures [px]
JOINTS, PICTURES = 120.0, 30.0  # messages a second


def main() -> None:
    """Publish until SIGINT or SIGTERM."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stop = StopRequest()
    node, make, arm = rclpy.create_node("source"), message_factory(), load_arm(ARM)
    steady = Clock(clock_type=ClockType.STEADY_TIME)
    joints = node.create_publisher(JointStateMessage, arm.topics.joint_states, SENSOR_SOURCE)
    camera = node.create_publisher(CompressedImage, topics.COMPRESSED, SENSOR_SOURCE)
    jpeg, still = encode_image(pictures(*SIZE)[0]), np.zeros(len(arm.joints))

    def now() -> float:
        return node.get_clock().now().nanoseconds * 1e-9

    def on_joints() -> None:
        joints.publish(make.joint_state(JointState(now(), still, still), arm.joints))

    def on_picture() -> None:
        camera.publish(make.compressed_image(now(), jpeg, FRAME))

    node.create_timer(1.0 / JOINTS, on_joints, clock=steady)
    node.create_timer(1.0 / PICTURES, on_picture, clock=steady)
    executor = new_executor()
    executor.add_node(node)
    spin_until(executor, lambda: stop.made or orphaned())


if __name__ == "__main__":
    main()
