"""What the monitor compares with reality: published by `mpc` in each slot, where someone listens."""

from __future__ import annotations

from rclpy.node import Node
from trajectory_msgs.msg import MultiDOFJointTrajectory

from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.messages import MessageFactory
from loopwm_ros.nodes.qos import REPORT

PREDICTION = "/mpc/prediction"  # in hindsight, from the stamp of the state that it starts from
READING = "/mpc/reading"  # what the encoder is sure of in the image of this stamp


class PredictionTopics:
    """Publishers of predictions and readings."""

    def __init__(self, node: Node, make: MessageFactory) -> None:
        self._make = make
        self._prediction = node.create_publisher(MultiDOFJointTrajectory, PREDICTION, REPORT)
        self._reading = node.create_publisher(MultiDOFJointTrajectory, READING, REPORT)

    def send(self, report: PlanReport, frame: str) -> None:
        """Publish what a planning cycle has to compare; `frame` is the arm's base."""
        for publisher, paths in ((self._reading, report.reading), (self._prediction, report.prediction)):
            if paths is not None and publisher.get_subscription_count():
                publisher.publish(self._make.paths(paths, frame))
