"""A ROS graph for a benchmark: its own process is in it, and those that it starts, and no others."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions

from loopwm_ros.nodes import environment


@contextmanager
def joined_graph() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder for logs, and the variables of processes that are to join."""
    with tempfile.TemporaryDirectory() as folder:
        variables = environment.private_graph(Path(folder), environment.domain_id())
        with environment.applied(variables):
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
            try:
                yield Path(folder), variables
            finally:
                rclpy.try_shutdown()
