"""A cold start, step by step, and what nodes take that have nothing to do: for `loopwm bench start`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from std_srvs.srv import SetBool

from loopwm_ros.config.world import Engine
from loopwm_ros.nodes import environment, processes
from loopwm_ros.nodes.checked import sent_topics
from loopwm_ros.nodes.processes import Child, Watching
from loopwm_ros.nodes.qos import COMMAND
from loopwm_ros.nodes.ros_client import RosClient
from loopwm_ros.nodes.service_calls import ACTIVATE, CONFIGURE
from loopwm_ros.nodes.supervisor import (
    CALL_TIMEOUT,
    CELL_NODES,
    FRESH_FRAMES,
    START_TIMEOUT,
    RealtimeRequest,
    node_parameters,
)

REAL: Engine = "mujoco"  # the stand-in keeps the wall clock's time, as an arm does
SETTLING = 2.0  # [s] before idle nodes are looked at
NODES = ("safety", "mpc")


class _Graph:
    """Nodes of one private ROS graph, started one after the other."""

    def __init__(self, request: RealtimeRequest, folder: Path, stack: ExitStack) -> None:
        self._request = replace(request, run=replace(request.run, engine=REAL))
        self._folder = folder
        self._variables = environment.private_graph(folder, request.domain)
        stack.enter_context(environment.applied(self._variables))
        self._children: list[Child] = []
        stack.callback(processes.stop, self._children)
        self.ros = RosClient("supervisor", lambda: processes.check_alive(self._children))
        stack.callback(self.ros.close)

    def start(self, names: Sequence[str]) -> dict[str, int]:
        """Process ids by node."""
        parameters = node_parameters(self._request, self._folder)
        made = [processes.start(name, parameters[name], self._variables, self._folder) for name in names]
        self._children += made
        return {child.name: child.process.pid for child in made}

    def persist(self, what: str, transition: int) -> None:
        """A lifecycle transition of mpc, tried until it works."""
        self.ros.wait(
            lambda: self.ros.services.transition("mpc", transition, START_TIMEOUT), START_TIMEOUT, what
        )


def cold_start(request: RealtimeRequest, folder: Path) -> dict[str, float]:
    """Seconds from the start of the processes safety and mpc to each step; cell and camera are there before.

    Raises:
        ProcessError: a node ended, refused, or took too long.
    """
    with ExitStack() as stack:
        graph, commands = _Graph(request, folder, stack), 0
        ros = graph.ros

        def count(_stamp: float, _position: object) -> None:
            nonlocal commands
            commands += 1

        for kind, topic, use in sent_topics(ros.node, request.run.arm, count):
            ros.node.create_subscription(kind, topic, use, COMMAND)
        graph.start([CELL_NODES[REAL]])
        ros.wait(lambda: len(ros.frames) >= FRESH_FRAMES, START_TIMEOUT, "the first camera image")
        began, reached = time.perf_counter(), {}

        def note(step: str) -> None:
            reached[step] = round(time.perf_counter() - began, 3)

        graph.start(NODES)
        graph.persist("configure", CONFIGURE)
        note("configured")
        graph.persist("activate", ACTIVATE)
        note("active")
        ros.wait(
            lambda: bool(ros.services.call(SetBool, "/safety/arm", CALL_TIMEOUT, data=True).success),
            START_TIMEOUT,
            "arming",
        )
        note("armed")
        ros.wait(lambda: commands > 0, START_TIMEOUT, "the first command")
        note("first command")
        return reached


def watch_idle(request: RealtimeRequest, folder: Path, seconds: float, watching: Watching) -> None:
    """Let safety and a configured mpc run for `seconds` without a cell, within `watching`.

    Raises:
        ProcessError: a node ended, refused, or took too long.
    """
    with ExitStack() as stack:
        graph = _Graph(request, folder, stack)
        nodes = graph.start(NODES)
        graph.persist("configure", CONFIGURE)
        graph.ros.run_for(SETTLING)
        with watching(nodes):
            graph.ros.run_for(seconds)
