"""The supervisor's end of the ROS graph: what it asks for, and what it watches."""

from __future__ import annotations

import time
from collections.abc import Callable

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage

from loopwm_ros.data import topics
from loopwm_ros.messages import stamp_seconds
from loopwm_ros.nodes import diagnostics
from loopwm_ros.nodes.processes import ProcessError
from loopwm_ros.nodes.qos import REPORT, SENSOR
from loopwm_ros.nodes.service_calls import GRACE, ServiceCalls
from loopwm_ros.nodes.spin import new_executor
from loopwm_ros.validation.trace import Frame

STEP = 0.05  # [s] longest sleep between looks at the world
RETRY = 0.2  # [s] between attempts


class RosClient:
    """A node that calls services, keeps the camera's frames, and notes what safety and monitor say."""

    def __init__(self, name: str, watch: Callable[[], None]) -> None:
        """`watch` runs while waiting and raises when waiting has become pointless."""
        self._watch = watch
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(name)
        self._executor = new_executor()
        self._executor.add_node(self.node)
        self.services = ServiceCalls(self.node, self.wait)
        self.frames: list[Frame] = []
        self.reasons: list[str] = []
        self.watched: dict[str, str] = {}  # the monitor's newest report
        self.node.create_subscription(CompressedImage, topics.COMPRESSED, self._on_frame, SENSOR)
        self.node.create_subscription(DiagnosticArray, diagnostics.TOPIC, self._on_diagnostics, REPORT)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def wait(self, done: Callable[[], bool], timeout: float, what: str) -> None:
        """Run callbacks until `done`.

        Raises:
            ProcessError: `what` took longer than `timeout` [s].
        """
        end = time.monotonic() + timeout
        while not done():
            self._watch()
            if time.monotonic() > end:
                raise ProcessError(f"{what} took longer than {timeout:g} s")
            self._executor.spin_once(timeout_sec=STEP)

    def run_for(self, seconds: float) -> None:
        """Run callbacks for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end, seconds + GRACE, "a pause")

    def persist(self, attempt: Callable[[], str], patience: float, pause: float = RETRY) -> None:
        """Try until it works, for `patience` [s], with pauses [s]; `attempt` says why it did not, or nothing.

        Raises:
            ProcessError: the last reason.
        """
        end = time.monotonic() + patience
        while reason := attempt():
            if time.monotonic() > end:
                raise ProcessError(reason)
            self.run_for(pause)

    def take_frames(self) -> list[Frame]:
        """Frames received since the last call."""
        taken, self.frames = self.frames, []
        return taken

    def take_reasons(self) -> list[str]:
        """Why the safety node did not follow the plan: an entry for each reason in each of its heartbeats."""
        taken, self.reasons = self.reasons, []
        return taken

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        values = diagnostics.values_of(message, diagnostics.SAFETY)
        self.watched = diagnostics.values_of(message, diagnostics.MONITOR) or self.watched
        if values is not None:
            self.reasons += filter(None, values[diagnostics.REASONS].split(diagnostics.BETWEEN))

    def _on_frame(self, message: CompressedImage) -> None:
        self.frames.append(Frame(stamp_seconds(message.header.stamp), bytes(message.data)))
