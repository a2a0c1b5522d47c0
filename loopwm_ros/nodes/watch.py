"""Looks for what must not be on the topics around the arm: other commanders, two planners, floods."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from loopwm_ros.config import ArmConfig
from loopwm_ros.nodes.heartbeats import Heard

WINDOW = 0.1  # [s]
BURST = 150  # messages before the node has come to anything else: it is choked, however slowly it reads
PATIENCE = 20  # looks at a node without a name, until it counts
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
        self._since, self._count, self._burst, self.flooded = time.perf_counter(), 0, 0, ""
        if self._subscription is None:
            self._subscription = self._node.create_subscription(
                self._kind, self.topic, self._on_message, self._qos
            )

    def served(self) -> None:
        """The node has come to something else."""
        self._burst = 0

    def _on_message(self, message: Any) -> None:  # noqa: ANN401  (any message class)
        if self._subscription is None:
            return
        now = time.perf_counter()
        if now - self._since > WINDOW:
            self._since, self._count = now, 0
        self._count += 1
        self._burst += 1
        if self._count > self._most * WINDOW or self._burst > BURST:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self.flooded = (
                f"{self.topic} is flooded: over {self._most:g} messages a second, or more than can be read; "
                "it was closed"
            )
            return
        self._callback(message)


class Watch:
    """Looks at who publishes where only one may, or only those that did when the arm was armed.

    Where a process was killed, DDS goes on to name it for many seconds, beside its successor. So two of the
    same name are no trouble by themselves.
    """

    def __init__(self, node: Node, arm: ArmConfig, single: tuple[str, ...], mpc: Heard) -> None:
        """`single`: topics that one node may publish. To the arm's controllers `node` alone may."""
        self._node, self._single, self._mpc = node, single, mpc
        names = arm.topics
        self._ours, self._joints = arm.command_topic, names.joint_states
        self._controllers = tuple(dict.fromkeys((names.command, names.velocity, names.trajectory)))
        self._sources: set[str] | None = None
        self._nameless: dict[str, int] = {}  # on a topic, how often in a row

    def accept(self) -> None:
        """Whoever publishes joint states now may do so: they may come from several, as of a gripper."""
        self._sources = set(self._named(self._joints))

    def trouble(self) -> str:
        """What is wrong, and who does it; empty if nothing is."""
        for topic in self._controllers:
            if others := self._others(topic):
                return f"{_list(others)} commands the arm, too, on {topic}: stop it; only safety may"
        for topic in self._single:
            if len(names := set(self._named(topic))) > 1:
                return f"{_list(names)} publish on {topic}: only one may, stop the others"
        if self._mpc.several:
            return f"two mpc nodes are running and publish on {self._single[0]}: only one may, stop the other"
        return self._new_source()

    def _new_source(self) -> str:
        if self._sources is None or not (new := set(self._named(self._joints)) - self._sources):
            return ""
        return (
            f"{_list(new)} publishes on {self._joints} since the arm was armed: stop it, or if it is "
            "meant, reset and arm again"
        )

    def _others(self, topic: str) -> list[str]:
        names = self._publishers(topic)
        own = self._node.get_name()
        if topic == self._ours and names:
            names.remove(own if own in names else names[0])  # a node may know itself before its name
        return names

    def _named(self, topic: str) -> list[str]:
        """Names of the nodes that publish on a topic; one that has none counts only once that lasts."""
        names = self._publishers(topic)
        self._nameless[topic] = self._nameless.get(topic, 0) + 1 if UNKNOWN in names else 0
        return [name for name in names if name != UNKNOWN or self._nameless[topic] > PATIENCE]

    def _publishers(self, topic: str) -> list[str]:
        """Those on a topic, remapped or not: `count_publishers` takes no notice of that."""
        return [info.node_name for info in self._node.get_publishers_info_by_topic(topic)]


def _list(names: Collection[str]) -> str:
    return " and ".join(sorted("another node" if name == UNKNOWN else f"'{name}'" for name in names))
