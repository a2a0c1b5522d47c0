"""The supervisor's end of the ROS graph: service calls that never hang, and what it watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage

from loopwm_ros.data import topics
from loopwm_ros.messages import stamp_seconds
from loopwm_ros.nodes.processes import ProcessError
from loopwm_ros.nodes.qos import SENSOR
from loopwm_ros.validation.trace import Frame

STEP = 0.05  # [s] longest sleep between looks at the world
CONFIGURE, ACTIVATE, DEACTIVATE = (
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
    Transition.TRANSITION_DEACTIVATE,
)


class RosClient:
    """A node that calls services and keeps the camera's frames."""

    def __init__(self, name: str, watch: Callable[[], None]) -> None:
        """`watch` runs while waiting and raises when waiting has become pointless."""
        self._watch = watch
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node(name)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._clients: dict[str, Client[Any, Any]] = {}
        self.frames: list[Frame] = []
        self._node.create_subscription(CompressedImage, topics.COMPRESSED, self._on_frame, SENSOR)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
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
        self.wait(lambda: time.monotonic() > end, seconds + STEP + 1.0, "a pause")

    def call(self, kind: type[Any], name: str, timeout: float, **fields: object) -> Any:  # noqa: ANN401  (any response)
        """Call a service and return its response."""
        if name not in self._clients:
            self._clients[name] = self._node.create_client(kind, name)
        client = self._clients[name]
        self.wait(client.service_is_ready, timeout, f"finding service {name}")
        future = client.call_async(kind.Request(**fields))
        self.wait(future.done, timeout, f"service {name}")
        return future.result()

    def transition(self, node: str, number: int, timeout: float) -> bool:
        """Ask a lifecycle node for a transition; False if it refuses."""
        request = Transition(id=number)
        return bool(self.call(ChangeState, f"/{node}/change_state", timeout, transition=request).success)

    def take_frames(self) -> list[Frame]:
        """Frames received since the last call."""
        taken, self.frames = self.frames, []
        return taken

    def _on_frame(self, message: CompressedImage) -> None:
        self.frames.append(Frame(stamp_seconds(message.header.stamp), bytes(message.data)))
