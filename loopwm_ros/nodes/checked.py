"""Callbacks that take messages from outside: what cannot be used is one line in the log, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.config import ArmConfig
from loopwm_ros.errors import SensorError
from loopwm_ros.messages import positions_from, trajectory_from
from loopwm_ros.types import F64

REPEAT = 1.0  # [s] between errors of one kind in the log

Topic = tuple[type[Any], str, Callable[[Any], None]]  # message class, name, callback


class Sparing:
    """Logs, one line in a while.

    rclpy's own throttling looks up its caller's source at each call; that takes longer than most messages.
    """

    def __init__(self, node: Node) -> None:
        self._node, self._at = node, -REPEAT

    def error(self, text: str) -> None:
        """Log it, unless something was logged just now."""
        if self._due():
            self._node.get_logger().error(text)

    def warning(self, text: str) -> None:
        """As `error`."""
        if self._due():
            self._node.get_logger().warning(text)

    def _due(self) -> bool:
        now = time.perf_counter()
        due = now - self._at >= REPEAT
        self._at = now if due else self._at
        return due


def checked(node: Node, topic: str, use: Callable[[Any], None]) -> Callable[[Any], None]:
    """`use` for messages of a topic; a SensorError that it raises is logged, one in a while."""
    log = Sparing(node)

    def on_message(message: Any) -> None:  # noqa: ANN401  (any message class)
        try:
            use(message)
        except SensorError as error:
            log.error(f"{topic}: {error}")

    return on_message


def sent_topics(node: Node, arm: ArmConfig, use: Callable[[float, F64], None]) -> tuple[Topic, ...]:
    """Topics to the arm's controller, with callbacks that pass on the time [s] and joints (n,) [rad]."""

    def sent(position: F64) -> None:
        use(node.get_clock().now().nanoseconds * 1e-9, position)

    def on_command(message: Float64MultiArray) -> None:
        sent(positions_from(message, len(arm.joints)))

    def on_trajectory(message: TrajectoryMessage) -> None:
        sent(trajectory_from(message, arm.joints).positions[0])

    return (
        (Float64MultiArray, arm.position_topic, on_command),
        (TrajectoryMessage, arm.topics.trajectory, on_trajectory),
    )
