"""Watches how far imagined futures are from actual ones; tells `safety` how fast the arm may be."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.parameter import Parameter
from std_msgs.msg import Float64
from visualization_msgs.msg import MarkerArray

from loopwm_ros.config import load_arm
from loopwm_ros.config.task import TOOL
from loopwm_ros.control.gap_series import GapStatus
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.prediction_monitor import Compared, PredictionMonitor, Verdict
from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes import diagnostics, heartbeats, params, spin
from loopwm_ros.nodes.diagnostics import Level
from loopwm_ros.nodes.inlets import InletNode
from loopwm_ros.nodes.markers import compared_markers
from loopwm_ros.nodes.monitor_inputs import MonitorInputs
from loopwm_ros.nodes.monitor_parameters import MonitorParameters
from loopwm_ros.nodes.monitor_topics import MARKER_TOPIC, SPEED_TOPIC
from loopwm_ros.nodes.qos import COMMAND, REPORT
from loopwm_ros.nodes.ros_messages import message_factory

NAME = diagnostics.MONITOR
PERIOD = 0.05  # [s] between two heartbeats for the safety node


class MonitorNode(InletNode):
    """`PredictionMonitor` on ROS topics; the same in shadow and in motion."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line.

        Raises:
            ConfigError: no arm is named, or its file is not usable.
            CertificateError, MismatchError: the validation cannot be read, or is of another arm.
        """
        super().__init__(NAME, parameter_overrides=list(overrides))
        params.declare(self, MonitorParameters)
        settings = params.read(self, MonitorParameters)
        if not settings.arm:
            raise ConfigError("which arm is this? Set the parameter arm: --ros-args -p arm:=NAME")
        params.guard(self, MonitorParameters, lambda: "limits are fixed when the monitor starts")
        self._arm = load_arm(settings.arm)
        limits = settings.limits(self._arm)
        self._monitor = PredictionMonitor(Kinematics(self._arm), settings.monitor(), limits)
        self._verdict = Verdict(1.0)
        self._drawn: Compared | None = None
        self._make = message_factory()
        self._speed = self.create_publisher(Float64, SPEED_TOPIC, COMMAND)
        self._markers = self.create_publisher(MarkerArray, MARKER_TOPIC, REPORT)
        self._report = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, REPORT)
        self._beat = self.create_publisher(DiagnosticStatus, heartbeats.MONITOR_TOPIC, COMMAND)
        MonitorInputs(self, self._arm, self._monitor)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.serve(self.poll_as_needed, steady)
        self.create_timer(PERIOD, self._on_update, clock=steady)
        self.create_timer(heartbeats.PERIOD, self._on_beat, clock=steady)
        self.create_timer(diagnostics.PERIOD, self._on_heartbeat, clock=steady)

    def _on_update(self) -> None:
        before, self._verdict = self._verdict, self._monitor.update(time.perf_counter())
        self._speed.publish(self._make.float64(self._verdict.speed_scale))
        if self._verdict.speed_scale == 0.0 < before.speed_scale:
            self.get_logger().error(f"the arm is to stop: {self._verdict.reasons[0]}")
        self._draw()

    def _on_beat(self) -> None:
        word = "stop" if self._verdict.speed_scale == 0.0 else "go"
        self._beat.publish(heartbeats.beat(NAME, word, self._arm.name))

    def _draw(self) -> None:
        compared = self._monitor.compared
        if compared is None or compared is self._drawn or not self._markers.get_subscription_count():
            return
        self._drawn = compared
        stamp = self._make.time(compared.imagined.stamp)
        actual = {TOOL: compared.tools, **compared.seen}
        self._markers.publish(compared_markers(stamp, self._arm.base_frame, compared.imagined.points, actual))

    def _on_heartbeat(self) -> None:
        self.reopen()
        scale, reasons = self._verdict.speed_scale, "; ".join(self._verdict.reasons)
        level = Level.ERROR if scale == 0.0 else Level.WARN if scale < 1.0 else Level.OK
        word = "stop" if scale == 0.0 else "slowed" if scale < 1.0 else "full speed"
        text = f"{word}: {reasons}" if reasons else word
        values = {"speed_scale": f"{scale:.3f}", **gap_values(self._monitor.statuses(time.perf_counter()))}
        stamp = self.get_clock().now().to_msg()
        self._report.publish(diagnostics.heartbeat(stamp, NAME, self._arm.name, level, text, values))


def gap_values(statuses: Iterable[GapStatus]) -> dict[str, str]:
    """Diagnostics of gaps: what was measured, its limit, and whether it lies within."""
    values = {}
    for gap in statuses:
        name = f"{gap.name}.{gap.step}"
        numbers = {"gap": gap.recent, "p50": gap.p50, "p99": gap.p99, "limit": gap.limit}
        for what, number in numbers.items():
            values[f"{name}.{what}_{gap.unit}"] = "" if number is None else f"{number:.5f}"
        values[f"{name}.within"] = "" if gap.within is None else str(gap.within).lower()
    return values


def main() -> int:
    """Run the monitor node until interrupted."""
    return spin.run(NAME, MonitorNode, MonitorParameters)


if __name__ == "__main__":
    sys.exit(main())
