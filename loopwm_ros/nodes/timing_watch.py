"""Notes when the nodes of a run publish, by the time that DDS writes to each message as it leaves."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.bench.looking import looking
from loopwm_ros.bench.results import StepTiming, TopicTiming
from loopwm_ros.bench.timing import timings
from loopwm_ros.config import ArmConfig
from loopwm_ros.data import topics
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC

PERIOD = 0.02  # [s] between two looks at what has come
DEPTH = 64  # messages of a topic that wait meanwhile
NAME = "timing_watch"


class TimingWatch:
    """Listens to joints, pictures, plans and commands while its context is entered.

    What it notes does not depend on when it looks: the moments are the publishers'. Messages are not decoded.

    Attributes:
        topics, steps: what was found, once the context is left.
    """

    def __init__(self, arm: ArmConfig, cell: str) -> None:
        """`cell`: the node that plays the arm."""
        command: type[Any] = TrajectoryMessage if arm.controller == "joint_trajectory" else Float64MultiArray
        joints, commands = arm.topics.joint_states, arm.command_topic
        self._kinds: dict[str, tuple[type[Any], str]] = {
            joints: (JointStateMessage, cell),
            topics.COMPRESSED: (CompressedImage, cell),
            PLAN_TOPIC: (TrajectoryMessage, "mpc"),
            commands: (command, "safety"),
        }
        self._steps = (
            ("joint states to the next command", joints, commands),
            ("plan to the next command", PLAN_TOPIC, commands),
        )
        self.topics: tuple[TopicTiming, ...] = ()
        self.steps: tuple[StepTiming, ...] = ()

    @contextmanager
    def __call__(self, _: Mapping[str, int]) -> Iterator[None]:
        """Listen, in a ROS context and a thread of its own."""
        context = Context()
        rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
        node = rclpy.create_node(NAME, context=context)
        qos = QoSProfile(depth=DEPTH)
        subscriptions = {
            topic: node.create_subscription(kind, topic, _ignore, qos)
            for topic, (kind, _) in self._kinds.items()
        }
        sent = {topic: array("q") for topic in subscriptions}

        def look() -> None:
            for topic, subscription in subscriptions.items():
                while (taken := subscription.handle.take_message(self._kinds[topic][0], True)) is not None:
                    sent[topic].append(taken[1]["source_timestamp"])

        try:
            with looking(look, PERIOD, NAME):
                yield
        finally:
            node.destroy_node()
            rclpy.try_shutdown(context=context)
        publishers = {topic: node_name for topic, (_, node_name) in self._kinds.items()}
        self.topics, self.steps = timings(sent, publishers, self._steps)


def _ignore(_: object) -> None:
    """Nothing serves the node; messages are taken by hand."""
