"""A cell on the topics that ros2_control and a camera driver have, in real time: for `sim` and `standin`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from loopwm_ros.bullet.camera import shown
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.nodes import diagnostics, params
from loopwm_ros.nodes.diagnostics import Level
from loopwm_ros.nodes.pacer import Pacer
from loopwm_ros.nodes.qos import REPORT
from loopwm_ros.nodes.reference import Reference
from loopwm_ros.nodes.sim_episodes import SimEpisodes
from loopwm_ros.nodes.sim_goal import SimGoal
from loopwm_ros.nodes.sim_settings import SimSettings
from loopwm_ros.nodes.sim_topics import SimTopics


class CellNode(Node):
    """Steps a cell by the wall clock and talks to the outside as hardware would."""

    settings: type[SimSettings] = SimSettings
    has_clock = True  # time is the cell's, and published

    def __init__(self, name: str, overrides: Sequence[Parameter[Any]]) -> None:
        """Start the node; `overrides` win over parameters from the command line.

        Raises:
            ConfigError: a parameter, or a file that one names, is not usable.
        """
        self._resources = ExitStack()
        super().__init__(name, parameter_overrides=list(overrides))
        params.declare(self, self.settings)
        settings = params.read(self, self.settings)
        params.guard(self, self.settings, lambda: f"it is fixed when the {name} node starts")
        self._arm, task = settings.scene()
        self._cell, self._period = settings.cell()
        self._resources.callback(self._cell.close)
        goal = SimGoal(self, self._arm, task, settings.goal_source)
        self._episodes = SimEpisodes(self._cell, task, goal, settings)
        self._resources.callback(self._episodes.close)
        self._reference = Reference(self, self._arm, self._cell)
        self._pacer = Pacer(self._period)
        self._begin_episode(0, start=0.0)
        self._topics = SimTopics(self, self._arm, shown(self._arm.camera), clock=self.has_clock)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self._report = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, REPORT)
        self._dropped = 0
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self._period, self._on_timer, clock=steady)
        self.create_timer(diagnostics.PERIOD, self._on_heartbeat, clock=steady)

    @property
    def cell(self) -> BulletCell:
        """The cell."""
        return self._cell

    def _begin_episode(self, index: int, start: float) -> None:
        self._episodes.set_up(index, start)
        self._reference.restart()
        self._pacer.restart()

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._begin_episode(self._episodes.index + 1, self._cell.now + self._period)
        response.success = True
        response.message = f"episode {self._episodes.index}, seed {self._episodes.seed}"
        return response

    def _on_timer(self) -> None:
        for _ in range(self._pacer.due(time.perf_counter())):
            self._advance()

    def _advance(self) -> None:
        position = self._reference.at(self._cell.now + self._period)
        self._episodes.before_step(commanded=position is not None)
        self._cell.step(position)
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
        name = self.get_name()
        self._report.publish(diagnostics.heartbeat(stamp, name, self._arm.name, level, text, values))

    def destroy_node(self) -> None:
        """Free the physics and the score file with the node."""
        self._resources.close()
        super().destroy_node()
