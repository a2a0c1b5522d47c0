"""Looks for what must not be on the topics around the arm: other commanders, two planners, floods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from loopwm_ros.config import ArmConfig

WINDOW = 0.1  # [s]
QUIET = 0.5  # [s] without a message
SETTLED = 2.0  # [s] in which a new process's publishers have become known


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
        self._heard = self._since
        if self._subscription is None:
            self._subscription = self._node.create_subscription(
                self._kind, self.topic, self._on_message, self._qos
            )

    def quiet(self) -> bool:
        """Has nothing come for a while?"""
        return time.perf_counter() - self._heard > QUIET

    def _on_message(self, message: Any) -> None:  # noqa: ANN401  (any message class)
        if self._subscription is None:
            return
        now = self._heard = time.perf_counter()
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


class Living:
    """Publishers of a topic, less those of a killed process: they stay in the graph for half a minute."""

    def __init__(self, node: Node, topic: str, silent: Callable[[], bool]) -> None:
        """`silent`: has the one that may publish here stopped to show that it lives?"""
        self._node, self._topic, self._silent = node, topic, silent
        self._was_silent, self._since = True, 0.0
        self._gone: set[bytes] = set()

    def names(self) -> list[str]:
        """Nodes that publish; where one has fallen silent and another one followed, only the latter."""
        silent = self._silent()
        fell_silent, self._was_silent = silent and not self._was_silent, silent
        if silent:
            self._since = time.perf_counter()
        if not (fell_silent or self._gone) and self._node.count_publishers(self._topic) <= 1:
            return []  # spares a look at each of them, ten times a second
        infos = self._node.get_publishers_info_by_topic(self._topic)
        present = {bytes(info.endpoint_gid): info.node_name for info in infos}
        self._gone = set(present) if fell_silent else self._gone & set(present)
        living = [name for gid, name in present.items() if gid not in self._gone]
        if not living and time.perf_counter() - self._since > SETTLED:  # it was frozen and goes on
            self._gone.clear()
        return living


class Watch:
    """Counts publishers where there may be only one."""

    def __init__(self, node: Node, arm: ArmConfig, single: Mapping[str, Callable[[], bool]]) -> None:
        """`single`: topics that one node may publish, with whether it is silent (`Living`).

        To the arm's controllers `node` alone may publish.
        """
        self._node = node
        self._single = {topic: Living(node, topic, silent) for topic, silent in single.items()}
        names = arm.topics
        self._ours = arm.command_topic
        self._controllers = tuple(dict.fromkeys((names.command, names.velocity, names.trajectory)))

    def trouble(self) -> str:
        """What is wrong, and who does it; empty if nothing is."""
        for topic in self._controllers:
            others = self._others(topic, ours=topic == self._ours)
            if others:
                return f"{others} commands the arm, too, on {topic}: stop it; only safety may"
        for topic, living in self._single.items():
            names = living.names()
            if len(names) > 1:
                return f"{_listed(names)} publish on {topic}: only one may, stop the others"
        return ""

    def _others(self, topic: str, ours: bool) -> str:
        if self._node.count_publishers(topic) <= int(ours):
            return ""
        names = [info.node_name for info in self._node.get_publishers_info_by_topic(topic)]
        own = self._node.get_name()
        if ours and own in names:
            names.remove(own)
        return _listed(names)


def _listed(names: list[str]) -> str:
    return " and ".join(f"'{name}'" for name in names) or "another node"
