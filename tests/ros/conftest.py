"""A closed ROS graph for these tests, and a node that talks to those under test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from loopwm_ros.bundle import Bundle
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.nodes import environment, processes
from loopwm_ros.nodes.processes import Child
from loopwm_ros.nodes.service_calls import ServiceCalls
from loopwm_ros.nodes.spin import new_executor
from tests.bundles import make_bundle

PATIENCE = 60.0  # [s] after which a wait has failed, however slow the machine


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    # never the user's: tests command an arm
    with environment.applied({"ROS_DOMAIN_ID": "", environment.RANGE: "", environment.PEERS: ""}):
        variables = environment.private_graph(tmp_path_factory.mktemp("ros"), environment.domain_id())
    with environment.applied(variables):
        yield variables


class Bench:
    """Nodes of this process, spun together, and child processes."""

    def __init__(self, variables: dict[str, str], folder: Path) -> None:
        self.variables, self.folder = variables, folder
        self.children: list[Child] = []
        self.executor = new_executor()
        self._nodes: list[Node] = []
        self.node = self.add(Node("bench"))
        self._services = ServiceCalls(self.node, lambda done, _timeout, _what: self.until(done))

    def add(self, node: Node) -> Any:
        self._nodes.append(node)
        self.executor.add_node(node)
        return node

    def start(self, name: str, **parameters: object) -> Child:
        child = processes.start(name, parameters, self.variables, self.folder)
        self.children.append(child)
        return child

    def until(self, done: Callable[[], Any]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "waited too long"
            self.executor.spin_once(timeout_sec=0.02)

    def rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def call(self, kind: type, name: str, **fields: object) -> Any:
        return self._services.call(kind, name, PATIENCE, **fields)

    def transition(self, node: str, number: int) -> None:
        """Ask until it is done: sensors may not be there yet."""
        self.until(lambda: self._services.transition(node, number, PATIENCE))

    def listen(self, kind: type, topic: str, qos: Any) -> list[Any]:
        """Messages of a topic, in a list that grows."""
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def close(self) -> None:
        processes.stop(self.children)
        self.executor.shutdown()
        while self._nodes:
            self._nodes.pop().destroy_node()


@pytest.fixture
def bench(graph: dict[str, str], tmp_path: Path) -> Iterator[Bench]:
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    made = Bench(graph, tmp_path)
    try:
        yield made
    finally:
        made.close()
        rclpy.try_shutdown()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(
        tmp_path_factory.mktemp("models") / "panda_reach", load_arm("panda"), load_task("reach")
    )
