"""Stands between two nodes on a topic and passes messages on: as they are, or changed, late, or not at all."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile

Message = Any
Late = tuple[float, Message]  # [s], and what is then sent
Change = Callable[[Message], Iterable[Late]]
TICK = 0.004  # [s]


def unchanged(message: Message) -> Iterable[Late]:
    """Pass it on at once."""
    return ((0.0, message),)


class Relay:
    """From topic `source` to topic `target`."""

    def __init__(self, node: Node, kind: type[Any], source: str, target: str, qos: QoSProfile) -> None:
        """`qos` is that of both ends; messages queue here."""
        self.change: Change = unchanged
        self.heard: Callable[[Message], None] = lambda _: None  # what comes in
        self._held: list[tuple[float, int, Message]] = []
        self._number = itertools.count()
        deep = QoSProfile(depth=100, reliability=qos.reliability, durability=qos.durability)
        self._publisher = node.create_publisher(kind, target, qos)
        node.create_subscription(kind, source, self._on_message, deep)
        node.create_timer(TICK, self._on_timer)

    def _on_message(self, message: Message) -> None:
        self.heard(message)
        for delay, each in self.change(message):
            if delay > 0.0:
                heapq.heappush(self._held, (time.perf_counter() + delay, next(self._number), each))
            else:
                self._publisher.publish(each)

    def _on_timer(self) -> None:
        while self._held and self._held[0][0] <= time.perf_counter():
            self._publisher.publish(heapq.heappop(self._held)[2])
