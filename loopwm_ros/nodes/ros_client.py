"""The supervisor's end of the ROS graph: service calls that never hang, and what it watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage

from loopwm_ros.data import topics
from loopwm_ros.messages import stamp_seconds
from loopwm_ros.nodes import diagnostics
from loopwm_ros.nodes.processes import ProcessError
from loopwm_ros.nodes.qos import REPORT, SENSOR
from loopwm_ros.nodes.spin import new_executor
from loopwm_ros.validation.trace import Frame

STEP = 0.05  # [s] longest sleep between looks at the world
GRACE = 10.0  # [s] by which a pause may last longer on a busy machine
AGAIN = 1.0  # [s] without an answer after which a node is asked where it is
CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP = (
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
    Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_CLEANUP,
)
GOALS = {
    CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
    CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
}
STEADY = (
    State.PRIMARY_STATE_UNCONFIGURED,
    State.PRIMARY_STATE_INACTIVE,
    State.PRIMARY_STATE_ACTIVE,
    State.PRIMARY_STATE_FINALIZED,
)


class RosClient:
    """A node that calls services, keeps the camera's frames, and notes what safety and monitor say."""

    def __init__(self, name: str, watch: Callable[[], None]) -> None:
        """`watch` runs while waiting and raises when waiting has become pointless."""
        self._watch = watch
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(name)
        self._executor = new_executor()
        self._executor.add_node(self.node)
        self._clients: dict[str, Client[Any, Any]] = {}
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

    def call(self, kind: type[Any], name: str, timeout: float, **fields: object) -> Any:  # noqa: ANN401  (any response)
        """Call a service and return its response."""
        future = self._ask(kind, name, timeout, **fields)
        self.wait(future.done, timeout, f"service {name}")
        return future.result()

    def transition(self, node: str, number: int, timeout: float) -> bool:
        """Ask a lifecycle node for a transition; False if it refuses.

        A request is lost where a node of the same name has just gone and still seems to be ready. So one
        without an answer is made again, once the node says that it is not on its way.

        Raises:
            ProcessError: no answer within `timeout` [s].
        """
        end = time.monotonic() + timeout
        requests: list[Future[Any]] = []

        def answered() -> bool:
            return requests[-1].done() or _succeeded(requests)

        state = None
        while state != GOALS[number]:
            if state in STEADY or not requests:
                change = Transition(id=number)
                requests.append(self._ask(ChangeState, f"/{node}/change_state", timeout, transition=change))
            if self._soon(answered):
                return _succeeded(requests)
            if time.monotonic() > end:
                raise ProcessError(f"{node} did not answer a transition within {timeout:g} s")
            state = self._state(node, timeout, answered)
        return True

    def _state(self, node: str, timeout: float, otherwise: Callable[[], bool]) -> int | None:
        """Where a lifecycle node is; None if it does not say soon, or `otherwise` comes first."""
        asked = self._ask(GetState, f"/{node}/get_state", timeout)
        self._soon(lambda: asked.done() or otherwise())
        answer: Any = asked.result()
        return None if answer is None else int(answer.current_state.id)

    def _ask(self, kind: type[Any], name: str, timeout: float, **fields: object) -> Future[Any]:
        """Send a request to a service once it is there."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        client = self._clients[name]
        self.wait(client.service_is_ready, timeout, f"finding service {name}")
        return client.call_async(kind.Request(**fields))

    def _soon(self, done: Callable[[], bool]) -> bool:
        """Run callbacks until `done`, or for `AGAIN` seconds."""
        end = time.monotonic() + AGAIN
        self.wait(lambda: done() or time.monotonic() > end, AGAIN + GRACE, "a pause")
        return done()

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


def _succeeded(requests: list[Future[Any]]) -> bool:
    """Has one of these transitions been made?"""
    answers: list[Any] = [request.result() for request in requests]
    return any(answer is not None and answer.success for answer in answers)
