"""Stands between two nodes on a topic: passes messages on as they are, or changed, late, or not at all."""

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
TICK = 0.01  # [s]


def unchanged(message: Message) -> Iterable[Late]:
    """Pass it on at once."""
    return ((0.0, message),)


class Passage:
    """Messages go through it."""

    def __init__(self, deliver: Callable[[Message], None]) -> None:
        """What comes through is delivered; call `tick` often."""
        self.change: Change = unchanged
        self._deliver = deliver
        self._held: list[tuple[float, int, Message]] = []
        self._number = itertools.count()

    @property
    def holds(self) -> bool:
        """Is something still to be delivered?"""
        return bool(self._held)

    def take(self, message: Message) -> None:
        """A message comes."""
        for delay, each in self.change(message):
            if delay > 0.0:
                heapq.heappush(self._held, (time.perf_counter() + delay, next(self._number), each))
            else:
                self._deliver(each)

    def tick(self) -> None:
        """Deliver what is due."""
        while self._held and self._held[0][0] <= time.perf_counter():
            self._deliver(heapq.heappop(self._held)[2])


class Relay(Passage):
    """From topic `source` to topic `target`."""

    def __init__(self, node: Node, kind: type[Any], source: str, target: str, qos: QoSProfile) -> None:
        """`qos` is that of both ends; messages queue here."""
        super().__init__(node.create_publisher(kind, target, qos).publish)
        self.heard: Callable[[Message], None] = lambda _: None  # what comes in
        deep = QoSProfile(depth=100, reliability=qos.reliability, durability=qos.durability)
        node.create_subscription(kind, source, self._on_message, deep)
        self._timer = node.create_timer(TICK, self._on_timer, autostart=False)

    def _on_message(self, message: Message) -> None:
        self.heard(message)
        self.take(message)
        if self.holds:
            self._timer.reset()

    def _on_timer(self) -> None:
        self.tick()
        if not self.holds:
            self._timer.cancel()
