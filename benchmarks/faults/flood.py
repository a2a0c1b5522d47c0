"""A peer that joins, and floods a topic once it is told to: `python -m benchmarks.faults.flood TOPIC`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from benchmarks.faults.switches import SIGNALS, Signals
from loopwm_ros.config import load_arm
from loopwm_ros.data import topics
from loopwm_ros.nodes.environment import use_profile
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.qos import SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.spin import StopRequest
from loopwm_ros.types import JointState

WAIT = 0.01  # [s] between looks


def main() -> None:
    """Publish until SIGTERM."""
    topic, make, arm = sys.argv[1], message_factory(), load_arm("panda")
    use_profile()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stop, signals = StopRequest(), Signals(Path(os.environ[SIGNALS]))
    node = rclpy.create_node("flood")
    kinds = {PLAN_TOPIC: TrajectoryMessage, topics.COMPRESSED: CompressedImage}
    publisher = node.create_publisher(kinds.get(topic, JointStateMessage), topic, SENSOR_SOURCE)
    message = {
        PLAN_TOPIC: TrajectoryMessage(),
        topics.COMPRESSED: CompressedImage(format="jpeg", data=bytes(100_000)),
    }.get(topic) or make.joint_state(JointState(0.0, np.asarray(arm.home), np.zeros(7)), arm.joints)
    readers = node.count_subscribers
    while not (stop.made or 0 < readers(topic) <= publisher.get_subscription_count()):
        time.sleep(WAIT)
    signals.tell(Signals.READY)
    while not (stop.made or signals.at(Signals.GO)):
        time.sleep(WAIT)
    signals.tell(Signals.BEGAN)
    while not stop.made:
        publisher.publish(message)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
