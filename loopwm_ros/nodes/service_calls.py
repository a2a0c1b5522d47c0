"""Calls of services that never hang, and that a lost request or answer does not end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from loopwm_ros.nodes.processes import ProcessError

AGAIN = 1.0  # [s] without an answer after which a node is asked where it is
ASKS = 5.0  # [s] without an answer after which a service is asked again
GRACE = 10.0  # [s] by which a pause may last longer on a busy machine
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


class Wait(Protocol):
    """Runs callbacks until `done`; raises where `what` takes longer than `timeout` [s]."""

    def __call__(self, done: Callable[[], bool], timeout: float, what: str) -> None: ...


class ServiceCalls:
    """Calls from one node.

    A request is lost where a node of the same name has just gone and still seems to be ready, and an answer
    where the server has not yet met the client, for which rmw_fastrtps waits 0.1 s.
    """

    def __init__(self, node: Node, wait: Wait) -> None:
        self._node, self._wait = node, wait
        self._clients: dict[str, Client[Any, Any]] = {}

    def is_ready(self, name: str) -> bool:
        """Does the service seem to be there, of those called before?"""
        return name in self._clients and self._clients[name].service_is_ready()

    def call(self, kind: type[Any], name: str, timeout: float, **fields: object) -> Any:  # noqa: ANN401  (any response)
        """The response of a service that may be asked twice: without an answer, it is asked again."""
        client, began, request = self._client(kind, name, timeout), time.monotonic(), kind.Request(**fields)
        asked: list[Future[Any]] = []

        def answered() -> bool:
            if time.monotonic() >= began + ASKS * len(asked):
                asked.append(client.call_async(request))
            return any(each.done() for each in asked)

        self._wait(answered, timeout, f"service {name}")
        return next(each.result() for each in asked if each.done())

    def call_once(self, kind: type[Any], name: str, timeout: float, **fields: object) -> Any:  # noqa: ANN401
        """The response of a service that must not be asked twice."""
        asked = self._ask(kind, name, timeout, **fields)
        self._wait(asked.done, timeout, f"service {name}")
        return asked.result()

    def transition(self, node: str, number: int, timeout: float) -> bool:
        """Ask a lifecycle node for a transition; False if it refuses.

        A request without an answer is made again, once the node says that it is not on its way.

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
        return self._client(kind, name, timeout).call_async(kind.Request(**fields))

    def _client(self, kind: type[Any], name: str, timeout: float) -> Client[Any, Any]:
        """Client of a service that is there."""
        if name not in self._clients:
            self._clients[name] = self._node.create_client(kind, name)
        self._wait(self._clients[name].service_is_ready, timeout, f"finding service {name}")
        return self._clients[name]

    def _soon(self, done: Callable[[], bool]) -> bool:
        """Run callbacks until `done`, or for `AGAIN` seconds."""
        end = time.monotonic() + AGAIN
        self._wait(lambda: done() or time.monotonic() > end, AGAIN + GRACE, "a pause")
        return done()


def _succeeded(requests: list[Future[Any]]) -> bool:
    """Has one of these transitions been made?"""
    answers: list[Any] = [request.result() for request in requests]
    return any(answer is not None and answer.success for answer in answers)
