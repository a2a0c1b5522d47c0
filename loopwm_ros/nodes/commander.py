"""Commands for the arm's controller, of the kind that its file names."""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_gate import GateOutput
from loopwm_ros.nodes.qos import COMMAND
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.types import F64, JointTrajectory

VELOCITY_GAIN = 4.0  # share of the position error that velocity commands make good each second


class Commander:
    """Publishes references on the one topic that the controller listens to."""

    def __init__(self, node: Node, arm: ArmConfig, kinematics: Kinematics, period: float) -> None:
        """`period` is the servo period [s]."""
        self._arm, self._fastest = arm, kinematics.velocity_limit
        self._at = np.array([period])
        self._make = message_factory()
        kind: type[Any] = TrajectoryMessage if arm.controller == "joint_trajectory" else Float64MultiArray
        self.publisher = node.create_publisher(kind, arm.command_topic, COMMAND)
        self._reference = (
            node.create_publisher(Float64MultiArray, arm.position_topic, COMMAND)
            if arm.controller == "forward_velocity"
            else None
        )
        self._moving = False  # the last velocities sent were not all zero

    def send(self, output: GateOutput, measured: F64 | None) -> None:
        """Send what the gate gives out; `measured` (n,) [rad] are the joints, None where they are stale."""
        if output.position is None or output.velocity is None:
            self.rest()
        elif self._arm.controller == "forward_velocity":
            self._velocities(output.velocity, output.position, measured)
            assert self._reference is not None
            self._reference.publish(self._make.command(output.position))
        elif self._arm.controller == "forward_position":
            self.publisher.publish(self._make.command(output.position))
        else:
            point = JointTrajectory(0.0, self._at, output.position[None], output.velocity[None])
            self.publisher.publish(self._make.trajectory(point, self._arm.joints))

    def rest(self) -> None:
        """Velocity controllers go on at what they were last told: tell them zero, once."""
        if self._moving:
            self._moving = False
            self.publisher.publish(self._make.command(np.zeros_like(self._fastest)))

    def _velocities(self, velocity: F64, position: F64, measured: F64 | None) -> None:
        if measured is not None:
            velocity = velocity + VELOCITY_GAIN * (position - measured)
        velocity = np.clip(velocity, -self._fastest, self._fastest)
        self._moving = bool(velocity.any())
        self.publisher.publish(self._make.command(velocity))
