"""What mpc and safety tell each other ten times a second: that they live, and what they are."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from loopwm_ros.nodes.qos import COMMAND

MPC_TOPIC = "/mpc/state"
SAFETY_TOPIC = "/safety/state"
PERIOD = 0.1  # [s]
TIMEOUT = 0.5  # silence after which the other one counts as gone [s]
INSTANCE = "instance"  # value that differs from one process to the next of the same name
BUNDLE = "bundle_sha256"  # value of mpc's: what it plans with; empty while it is not configured


class Heard:
    """The other node's newest heartbeat."""

    def __init__(self, node: Node, topic: str) -> None:
        self._at = -float("inf")
        self._values: dict[str, str] = {}
        self._instances: dict[str, float] = {}  # when each was last heard
        self.state = ""
        node.create_subscription(DiagnosticStatus, topic, self._on_beat, COMMAND)

    def _on_beat(self, beat: DiagnosticStatus) -> None:
        self._at, self.state = time.perf_counter(), beat.message
        self._values = {pair.key: pair.value for pair in beat.values}
        self._instances[self.value(INSTANCE)] = self._at

    @property
    def alive(self) -> bool:
        """Has it been heard lately?"""
        return time.perf_counter() - self._at <= TIMEOUT

    @property
    def several(self) -> bool:
        """Are there two of it? Not where one has just taken the place of another."""
        since = time.perf_counter() - TIMEOUT
        self._instances = {name: at for name, at in self._instances.items() if at >= since}
        return len(self._instances) > 1

    @property
    def known(self) -> bool:
        """Has it ever been heard?"""
        return self._at > -float("inf")

    def value(self, key: str) -> str:
        """A value that it sent; empty where it sent none."""
        return self._values.get(key, "")
