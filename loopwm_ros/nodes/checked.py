"""Callbacks that take messages from outside: what cannot be used is one line in the log, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.config import ArmConfig
from loopwm_ros.errors import SensorError
from loopwm_ros.messages import positions_from, trajectory_from
from loopwm_ros.nodes.qos import COMMAND
from loopwm_ros.types import F64

REPEAT = 1.0  # [s] between errors of one topic in the log


def checked(node: Node, topic: str, use: Callable[[Any], None]) -> Callable[[Any], None]:
    """`use` for messages of a topic; a SensorError that it raises is logged."""

    def on_message(message: Any) -> None:  # noqa: ANN401  (any message class)
        try:
            use(message)
        except SensorError as error:
            node.get_logger().error(f"{topic}: {error}", throttle_duration_sec=REPEAT)

    return on_message


def listen_to_sent(node: Node, arm: ArmConfig, use: Callable[[float, F64], None]) -> list[Subscription[Any]]:
    """Subscribe to what is sent to the arm's controller: `use` gets the time [s] and joints (n,) [rad]."""

    def sent(position: F64) -> None:
        use(node.get_clock().now().nanoseconds * 1e-9, position)

    def on_command(message: Float64MultiArray) -> None:
        sent(positions_from(message, len(arm.joints)))

    def on_trajectory(message: TrajectoryMessage) -> None:
        sent(trajectory_from(message, arm.joints).positions[0])

    kinds = (
        (Float64MultiArray, arm.position_topic, on_command),
        (TrajectoryMessage, arm.topics.trajectory, on_trajectory),
    )
    return [
        node.create_subscription(kind, topic, checked(node, topic, read), COMMAND)
        for kind, topic, read in kinds
    ]
