"""A cold start, step by step, and what nodes take that have nothing to do: for `loopwm bench start`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from loopwm_ros.config.world import Engine
from loopwm_ros.nodes import environment, processes
from loopwm_ros.nodes.checked import sent_topics
from loopwm_ros.nodes.processes import Child, Watching
from loopwm_ros.nodes.qos import COMMAND
from loopwm_ros.nodes.ros_client import RosClient
from loopwm_ros.nodes.supervisor import (
    CELL_NODES,
    FRESH_FRAMES,
    START_TIMEOUT,
    RealtimeRequest,
    activate,
    arm,
    configure,
    node_parameters,
)
from loopwm_ros.types import F64

REAL: Engine = "mujoco"  # the stand-in keeps the wall clock's time, as an arm does
SETTLING = 2.0  # [s] before idle nodes are looked at
PAUSE = 0.05  # [s] between attempts
MOTION = 1e-4  # of a joint, by which a command is one to move [rad]
NODES = ("safety", "mpc")
IDLE = ("safety", "monitor", "mpc")


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
        watching = {"arm": self._request.arm, "use_sim_time": False}  # where nothing was validated
        parameters = {"monitor": watching, **node_parameters(self._request, self._folder)}
        for name in names:
            child = processes.start(name, parameters[name], self._variables, self._folder)
            self._children.append(child)
        return {child.name: child.process.pid for child in self._children if child.name in names}

    @property
    def mpc(self) -> Child:
        """The node that was started last."""
        return self._children[-1]


def cold_start(request: RealtimeRequest, folder: Path) -> dict[str, float]:
    """Seconds from the start of the processes safety and mpc to each step; cell and camera are there before.

    Raises:
        ProcessError: a node ended, refused, or took too long.
    """
    with ExitStack() as stack:
        graph, sent = _Graph(request, folder, stack), list[F64]()
        ros = graph.ros
        for kind, topic, use in sent_topics(ros.node, request.run.arm, lambda _, joints: sent.append(joints)):
            ros.node.create_subscription(kind, topic, use, COMMAND)
        graph.start([CELL_NODES[REAL]])
        ros.wait(lambda: len(ros.frames) >= FRESH_FRAMES, START_TIMEOUT, "the first camera image")
        began, reached = time.perf_counter(), {}

        def note(step: str) -> None:
            reached[step] = round(time.perf_counter() - began, 3)

        graph.start(NODES)
        configure(graph.ros.services, graph.mpc)
        note("configured")
        ros.persist(lambda: activate(ros.services, graph.mpc), START_TIMEOUT, PAUSE)
        note("active")
        ros.persist(lambda: arm(ros.services), START_TIMEOUT, PAUSE)
        note("armed")
        ros.wait(lambda: _moves(sent), START_TIMEOUT, "the first command that moves the arm")
        note("first motion")
        return reached


def _moves(sent: Sequence[F64]) -> bool:
    """Whether a command (n,) [rad] was for elsewhere than the first, where safety holds the arm."""
    return len(sent) > 1 and float(np.max(np.abs(sent[-1] - sent[0]))) > MOTION


def watch_idle(request: RealtimeRequest, folder: Path, seconds: float, watching: Watching) -> None:
    """Let safety, monitor and a configured mpc run for `seconds` without a cell, within `watching`.

    Raises:
        ProcessError: a node ended, refused, or took too long.
    """
    with ExitStack() as stack:
        graph = _Graph(request, folder, stack)
        nodes = graph.start(IDLE)
        configure(graph.ros.services, graph.mpc)
        graph.ros.run_for(SETTLING)
        with watching(nodes):
            graph.ros.run_for(seconds)
