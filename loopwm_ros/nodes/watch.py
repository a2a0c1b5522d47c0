"""Looks for what must not be on the topics around the arm: other commanders, two planners, floods."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from loopwm_ros.config import ArmConfig

WINDOW = 0.1  # [s]
UNKNOWN = "_NODE_NAME_UNKNOWN_"  # what the graph calls a node that it has only just met


class Inlet:
    """A subscription that is closed when it is flooded, so that reading it takes no more time."""

    def __init__(
        self,
        node: Node,
        kind: type[Any],
        topic: str,
        callback: Callable[[Any], None],
        qos: QoSProfile,
        most: float,
    ) -> None:
        """`most`: messages a second that anyone could mean; more are a flood."""
        self._node, self._kind, self._callback, self._qos = node, kind, callback, qos
        self.topic, self._most = topic, most
        self.flooded = ""
        self._subscription: Subscription[Any] | None = None
        self.open()

    def open(self) -> None:
        """Listen, again if it was closed."""
        self._since, self._count, self.flooded = time.perf_counter(), 0, ""
        if self._subscription is None:
            self._subscription = self._node.create_subscription(
                self._kind, self.topic, self._on_message, self._qos
            )

    def _on_message(self, message: Any) -> None:  # noqa: ANN401  (any message class)
        if self._subscription is None:
            return
        now = time.perf_counter()
        if now - self._since > WINDOW:
            self._since, self._count = now, 0
        self._count += 1
        if self._count > self._most * WINDOW:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self.flooded = (
                f"{self.topic} is flooded with over {self._most:g} messages a second; it was closed"
            )
            return
        self._callback(message)


class Watch:
    """Counts publishers where there may be only one, or no more than there were."""

    def __init__(self, node: Node, arm: ArmConfig, single: tuple[str, ...]) -> None:
        """`single`: topics that one node may publish. To the arm's controllers `node` alone may.

        Joint states may come from several, as of a gripper: from those that do when the arm is armed.
        """
        self._node, self._single = node, single
        names = arm.topics
        self._joints, self._sources = names.joint_states, 0
        self._ours = arm.command_topic
        self._controllers = tuple(dict.fromkeys((names.command, names.velocity, names.trajectory)))

    def accept(self) -> None:
        """Whoever publishes joint states now may do so."""
        self._sources = self._count(self._joints)

    def trouble(self) -> str:
        """What is wrong, and who does it; empty if nothing is."""
        for topic in self._controllers:
            others = self._others(topic, ours=topic == self._ours)
            if others:
                return f"{others} commands the arm, too, on {topic}: stop it; only safety may"
        for topic in self._single:
            if self._count(topic) > 1:
                return f"{self._named(topic)} publish on {topic}: only one may, stop the others"
        sources = self._count(self._joints)
        if 0 < self._sources < sources:
            return (
                f"one more publishes on {self._joints} than when the arm was armed, now "
                f"{self._named(self._joints)}: stop it, or if it is meant, reset and arm again"
            )
        self._sources = min(self._sources, max(1, sources))  # who has gone is not among them any more
        return ""

    def _count(self, topic: str) -> int:
        """Publishers on a topic, remapped or not: `count_publishers` takes no notice of that."""
        return len(self._node.get_publishers_info_by_topic(topic))

    def _others(self, topic: str, ours: bool) -> str:
        if self._count(topic) <= int(ours):
            return ""
        return self._named(topic, leave_out=self._node.get_name() if ours else "")

    def _named(self, topic: str, leave_out: str = "") -> str:
        names = [info.node_name for info in self._node.get_publishers_info_by_topic(topic)]
        if leave_out in names:
            names.remove(leave_out)
        named = ["another node" if name == UNKNOWN else f"'{name}'" for name in names]
        return " and ".join(named) or "another node"
