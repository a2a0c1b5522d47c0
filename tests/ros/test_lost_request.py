"""A transition reaches its node though one of the same name has just gone and still seems to be ready."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from loopwm_ros.bundle import Bundle
from loopwm_ros.nodes import environment, processes
from loopwm_ros.nodes.processes import Child
from loopwm_ros.nodes.ros_client import RosClient
from loopwm_ros.nodes.service_calls import CONFIGURE

SETTLE = 3.0  # [s] for the client to have asked the one that is gone
PATIENCE = 90.0
GHOST = """
import rclpy
from rclpy.lifecycle import LifecycleNode
rclpy.init()
node = LifecycleNode("mpc")
rclpy.spin(node)
"""


def test_a_request_to_a_node_that_has_just_gone_is_made_again(tmp_path: Path, bundle: Bundle) -> None:
    with environment.applied({"ROS_DOMAIN_ID": ""}):
        graph = environment.private_graph(tmp_path, environment.domain_id())
    children: list[Child] = []
    with environment.applied(graph):
        command = [sys.executable, "-c", GHOST]
        ghost = subprocess.Popen(command, env={**os.environ, **graph})
        seemed_ready: list[bool] = []
        gone: list[float] = []

        def start_when_lost() -> None:
            """Runs while the client waits: the real node comes when the request is lost already."""
            if gone and not children and time.monotonic() - gone[0] > SETTLE:
                seemed_ready.append(client.services.is_ready("/mpc/change_state"))
                values = {"bundle": str(bundle.root), "arm": "panda", "task": "reach"}
                children.append(processes.start("mpc", values, graph, tmp_path))

        client = RosClient("supervisor", start_when_lost)
        try:
            client.wait(lambda: ("mpc", "/") in client.node.get_node_names_and_namespaces(), PATIENCE, "it")
            ghost.kill()
            ghost.wait()
            gone.append(time.monotonic())
            assert client.services.transition("mpc", CONFIGURE, PATIENCE)
            assert seemed_ready == [True], "else this tests nothing"
        finally:
            client.close()
            ghost.kill()
            processes.stop(children)
