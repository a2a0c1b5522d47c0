"""A simulated arm and camera with the topics that ros2_control and a camera driver have, in real time."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import load_world
from loopwm_ros.control.trajectory import approached, sample
from loopwm_ros.errors import SensorError
from loopwm_ros.messages import positions_from, trajectory_from
from loopwm_ros.nodes import diagnostics, params, spin
from loopwm_ros.nodes.diagnostics import Level
from loopwm_ros.nodes.pacer import Pacer
from loopwm_ros.nodes.qos import COMMAND, REPORT
from loopwm_ros.nodes.sim_episodes import SimEpisodes
from loopwm_ros.nodes.sim_goal import SimGoal
from loopwm_ros.nodes.sim_settings import SimSettings
from loopwm_ros.nodes.sim_topics import SimTopics
from loopwm_ros.types import F64, JointTrajectory

NAME = "sim"


class SimNode(Node):
    """Steps the cell by the wall clock and talks to the outside as hardware would."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line."""
        self._resources = ExitStack()
        super().__init__(NAME, parameter_overrides=list(overrides))
        params.declare(self, SimSettings)
        self._settings = params.read(self, SimSettings)
        params.guard(self, SimSettings, lambda: "it is fixed when the simulation starts")
        self._arm, task = self._settings.scene()
        world = load_world(task.world)
        self._cell = BulletCell(self._arm, task, world)
        self._resources.callback(self._cell.close)
        goal = SimGoal(self, self._arm, task, self._settings.goal_source)
        self._episodes = SimEpisodes(self._cell, task, goal, self._settings)
        self._resources.callback(self._episodes.close)
        self._period = 1.0 / world.servo_rate
        self._pacer = Pacer(self._period)
        self._begin_episode(0, start=0.0)
        self._topics = SimTopics(self, self._arm)
        self._listen()
        self._report = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, REPORT)
        self._dropped = 0
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self._period, self._on_timer, clock=steady)
        self.create_timer(diagnostics.PERIOD, self._on_heartbeat, clock=steady)

    def _listen(self) -> None:
        names = self._arm.topics
        self.create_subscription(Float64MultiArray, names.command, self._on_command, COMMAND)
        self.create_subscription(TrajectoryMessage, names.trajectory, self._on_trajectory, COMMAND)
        self.create_service(Trigger, "~/reset", self._on_reset)

    def _begin_episode(self, index: int, start: float) -> None:
        self._episodes.set_up(index, start)
        self._position: F64 | None = None
        self._trajectory: JointTrajectory | None = None
        self._pacer.restart()

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._begin_episode(self._episodes.index + 1, self._cell.now + self._period)
        response.success = True
        response.message = f"episode {self._episodes.index}, seed {self._episodes.seed}"
        return response

    def _on_command(self, message: Float64MultiArray) -> None:
        try:
            self._position = positions_from(message, len(self._arm.joints))
        except SensorError as error:
            self.get_logger().error(f"{self._arm.topics.command}: {error}", throttle_duration_sec=1.0)
        else:
            self._trajectory = None

    def _on_trajectory(self, message: TrajectoryMessage) -> None:
        try:
            trajectory = trajectory_from(message, self._arm.joints, positions_only=True)
        except SensorError as error:
            self.get_logger().error(f"{self._arm.topics.trajectory}: {error}", throttle_duration_sec=1.0)
            return
        now = self._cell.now
        started = replace(trajectory, stamp=trajectory.stamp or now)  # a stamp of zero means now
        self._trajectory = approached(started, now, *self._reference(now))

    def _reference(self, now: float) -> tuple[F64, F64]:
        """Position and velocity (n,) that the arm is told at `now` [s]; measured ones before any command."""
        if self._trajectory is not None:
            return sample(self._trajectory, now)
        position = self._cell.joint_state().position if self._position is None else self._position
        return position, np.zeros_like(position)

    def _on_timer(self) -> None:
        for _ in range(self._pacer.due(time.perf_counter())):
            self._advance()

    def _advance(self) -> None:
        if self._trajectory is not None:
            self._position = sample(self._trajectory, self._cell.now + self._period)[0]
        self._episodes.before_step(commanded=self._position is not None)
        self._cell.step(self._position)
        self._episodes.after_step()
        self._topics.state(self._cell.joint_state())
        frame = self._cell.new_frame()
        if frame is not None:
            self._topics.tool(self._cell.joint_state())
            self._topics.frame(frame, blank=bool(self.get_parameter("blank_camera").value))

    def _on_heartbeat(self) -> None:
        lost, self._dropped = self._pacer.dropped - self._dropped, self._pacer.dropped
        level, text = (Level.WARN, "slower than real time") if lost else (Level.OK, "real time")
        values = {"episode": str(self._episodes.index), "dropped_steps": str(self._dropped)}
        stamp = self.get_clock().now().to_msg()
        self._report.publish(diagnostics.heartbeat(stamp, NAME, self._arm.name, level, text, values))

    def destroy_node(self) -> None:
        """Free the physics client and the score file with the node."""
        self._resources.close()
        super().destroy_node()


def main() -> int:
    """Run the simulation until interrupted."""
    return spin.run(NAME, SimNode, SimSettings)


if __name__ == "__main__":
    sys.exit(main())
