"""What the controller topics tell an arm to do: a position, a velocity, or a trajectory over time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig
from loopwm_ros.control.trajectory import approached, sample
from loopwm_ros.messages import positions_from, trajectory_from
from loopwm_ros.nodes.checked import checked
from loopwm_ros.nodes.qos import COMMAND
from loopwm_ros.types import F64, JointTrajectory


class Reference:
    """ros2_control's controllers of positions, velocities, trajectories: the newest message rules."""

    def __init__(self, node: Node, arm: ArmConfig, cell: BulletCell) -> None:
        """Subscribe; `cell` says what time it is, and where the joints are before any command."""
        self._arm, self._cell = arm, cell
        self.restart()
        names = arm.topics
        for kind, topic, use in (
            (Float64MultiArray, names.command, self._on_command),
            (Float64MultiArray, names.velocity, self._on_velocity),
            (TrajectoryMessage, names.trajectory, self._on_trajectory),
        ):
            node.create_subscription(kind, topic, checked(node, topic, use), COMMAND)

    def restart(self) -> None:
        """Forget all commands."""
        self._position: F64 | None = None
        self._trajectory: JointTrajectory | None = None
        self._velocity: F64 | None = None
        self._asked = self._cell.now  # what `at` was last asked for [s]

    def at(self, time: float) -> F64 | None:
        """Position (n,) [rad] for `time` [s]; None before any command."""
        if self._trajectory is not None:
            self._position = sample(self._trajectory, time)[0]
        elif self._velocity is not None and self._position is not None:
            self._position = self._position + self._velocity * max(0.0, time - self._asked)
        self._asked = time
        return self._position

    def _on_command(self, message: Float64MultiArray) -> None:
        self._position = positions_from(message, len(self._arm.joints))
        self._trajectory = self._velocity = None

    def _on_velocity(self, message: Float64MultiArray) -> None:
        velocity = positions_from(message, len(self._arm.joints))
        self._position = self._present(self._cell.now)[0]
        self._trajectory, self._velocity = None, velocity

    def _on_trajectory(self, message: TrajectoryMessage) -> None:
        trajectory = trajectory_from(message, self._arm.joints, positions_only=True)
        now = self._cell.now
        started = replace(trajectory, stamp=trajectory.stamp or now)  # a stamp of zero means now
        self._trajectory, self._velocity = approached(started, now, *self._present(now)), None

    def _present(self, now: float) -> tuple[F64, F64]:
        """Position and velocity (n,) that the arm is told at `now` [s]; measured ones before any command."""
        if self._trajectory is not None:
            return sample(self._trajectory, now)
        position = self._cell.joint_state().position if self._position is None else self._position
        return position, np.zeros_like(position)
