"""A call is answered though its first request was lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from rclpy.node import Node
from std_srvs.srv import Trigger

from loopwm_ros.nodes import service_calls
from loopwm_ros.nodes.processes import ProcessError
from loopwm_ros.nodes.service_calls import ServiceCalls
from tests.ros.conftest import Bench

NAME = "/asked"
DEAF = 0.3  # [s] until another server takes the deaf one's place


def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
    response.success = True
    return response


class Stage:
    """A server that never spins, until it is replaced by one that does."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._deaf = bench, Node("deaf")
        self._deaf.create_service(Trigger, NAME, answer)
        self._asked: float | None = None

    def wait(self, done: Callable[[], bool], timeout: float, what: str) -> None:
        """As of `ServiceCalls`; the servers change during the call."""
        end = time.monotonic() + timeout
        if what == f"service {NAME}":
            self._asked = time.monotonic()
        while not done():
            if time.monotonic() > end:
                raise ProcessError(f"{what} took longer than {timeout:g} s")
            if self._asked is not None and time.monotonic() > self._asked + DEAF:
                self._replace()
            self._bench.executor.spin_once(timeout_sec=0.02)

    def _replace(self) -> None:
        self._asked = None
        self._deaf.destroy_node()
        self._bench.add(Node("hears")).create_service(Trigger, NAME, answer)


def test_it_is_asked_again(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(service_calls, "ASKS", 1.0)
    stage = Stage(bench)
    assert ServiceCalls(bench.node, stage.wait).call(Trigger, NAME, 30.0).success


def test_unless_it_must_not_be_asked_twice(bench: Bench) -> None:
    stage = Stage(bench)
    with pytest.raises(ProcessError, match="service /asked took longer than 3 s"):
        ServiceCalls(bench.node, stage.wait).call_once(Trigger, NAME, 3.0)
