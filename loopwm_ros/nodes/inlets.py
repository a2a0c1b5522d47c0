"""Subscriptions that a node reads when it is ready to, a bounded number of messages at a time.

An executor calls back for each message: whoever sends enough of them holds up all timers. What is read here
takes no more time than the node gives it, and a topic with more than anyone could mean is closed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.timer import Timer

from loopwm_ros.nodes.checked import checked

WINDOW = 0.1  # [s] over which messages are counted
FULL = 0.8  # share of what can be read in it, from which on it is a flood, ...
MANY = 0.4  # ... if it is this share of what anyone could mean, too: reading may have been late
LEAST_POLLS = 3
KEPT = 0.0125  # [s] of the fastest flow that is kept, at least ...
LEAST_DEPTH = 5  # ... and messages: a node that is held up for a moment loses none
CALM = 1.0  # [s] without anything to do, after which a node rests
JOINTS_MOST = 3000.0  # messages a second; the fastest arms give their joints, and take commands, at 1 kHz
PICTURES_MOST = 500.0
WORDS_MOST = 500.0  # of what nodes tell each other: plans, heartbeats, predictions


class InletNode(Node):
    """A node with inlets; its executor does not serve them."""

    inlets: tuple[Inlet, ...] = ()
    poll_period = 0.005  # [s] between two calls of `poll`, ...
    # ... and where nothing waits for what comes, so that idling costs little. Of more than a queue holds the
    # newest are read then, and a flood is found only when the node polls often again.
    rest_period = 0.05
    fullest = 0.0  # of all queues at the last poll, 0 to 1
    _polling: Timer | None = None
    _serving: Callable[[], None]
    _serving_clock: Clock
    _awake_at = 0.0  # [s], on the steady clock
    _resting = False

    @property
    def subscriptions(self) -> Iterator[Subscription[Any]]:
        """What the executor serves."""
        polled = [inlet.subscription for inlet in self.inlets]
        yield from (each for each in super().subscriptions if each not in polled)

    def poll_every(self, period: float, clock: Clock) -> None:
        """Call `poll` so often [s] from now on."""
        self._replace_timer(period, self.poll, clock)

    def serve(self, callback: Callable[[], None], clock: Clock) -> None:
        """Call what polls, and perhaps more, every `poll_period`, or `rest_period` while the node rests."""
        self._serving, self._serving_clock, self._awake_at = callback, clock, time.perf_counter()
        self._replace_timer(self.poll_period, callback, clock)

    def wake(self) -> None:
        """There is something to do, now and for a while."""
        self._awake_at = time.perf_counter()
        if self._resting:
            self._resting = False
            self._replace_timer(self.poll_period, self._serving, self._serving_clock)

    def rest(self) -> None:
        """There is nothing to do; after a while of that, be called less often."""
        if not self._resting and time.perf_counter() - self._awake_at > CALM:
            self._resting = True
            self._replace_timer(self.rest_period, self._serving, self._serving_clock)

    def poll_as_needed(self) -> None:
        """What to `serve` where it is enough to poll: often while something comes."""
        self.poll()
        if self.fullest > 0.0:
            self.wake()
        else:
            self.rest()

    @property
    def crowded(self) -> bool:
        """More came than the queues hold of a resting node."""
        return self.fullest >= (1.0 if self._resting else self.poll_period / self.rest_period)

    def _replace_timer(self, period: float, callback: Callable[[], None], clock: Clock) -> None:
        before, self._polling = self._polling, self.create_timer(period, callback, clock=clock)
        if before is not None:
            self.destroy_timer(before)

    def poll(self) -> None:
        """Read all inlets."""
        self.fullest = max((inlet.poll() for inlet in self.inlets), default=0.0)

    def reopen(self) -> None:
        """Open those that a flood has closed."""
        for inlet in self.inlets:
            inlet.open()


class Inlet:
    """One topic that its node polls."""

    def __init__(
        self,
        node: InletNode,
        kind: type[Any],
        topic: str,
        callback: Callable[[Any], None],
        qos: QoSProfile,
        most: float = WORDS_MOST,
        newest: bool = False,
        on_flood: Callable[[str], None] | None = None,
    ) -> None:
        """`most`: messages a second that anyone could mean; more are a flood.

        Fewer are one, too, if they fill the queue. That holds more than `qos` says, so that they can be
        counted; of what came between two polls `newest` passes on the last alone. A SensorError that
        `callback` raises is logged. `on_flood` is told that the inlet was closed, and why; without it, that
        is logged.
        """
        self._node, self._kind, self.topic = node, kind, topic
        self._callback = checked(node, topic, callback)
        self._newest, self._on_flood = newest, on_flood or node.get_logger().error
        self._most, self._since, self._count, self._polls = most, 0.0, 0, 0
        self._depth = max(LEAST_DEPTH, math.ceil(most * max(node.poll_period, KEPT)))
        self._qos = QoSProfile(
            depth=self._depth, history=qos.history, reliability=qos.reliability, durability=qos.durability
        )
        self.subscription: Subscription[Any] | None = None
        node.inlets = (*node.inlets, self)
        self.open()

    def open(self) -> None:
        """Listen, again if it was closed."""
        self._begin()
        if self.subscription is None:
            self.subscription = self._node.create_subscription(
                self._kind, self.topic, self._callback, self._qos
            )

    def close(self) -> None:
        """Listen no more, until it is opened."""
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)

    def remove(self) -> None:
        """Close for good."""
        self.close()
        self._node.inlets = tuple(inlet for inlet in self._node.inlets if inlet is not self)

    def poll(self) -> float:
        """Pass on what has come, oldest first; how full the queue was, 0 to 1."""
        self._polls += 1
        before, last = self._count, None
        for _ in range(self._depth):
            if self.subscription is None:  # closed, perhaps by what was passed on
                return 0.0
            taken: Any = self.subscription.handle.take_message(self._kind, False)
            if taken is None:
                break
            self._count, last = self._count + 1, taken[0]
            if not self._newest:
                self._callback(last)
        filled = (self._count - before) / self._depth
        if self._newest and last is not None:
            self._callback(last)
        elapsed = time.perf_counter() - self._since
        if self._polls >= LEAST_POLLS and elapsed > WINDOW:
            if self._flooded(self._count / elapsed):
                self.close()
                self._on_flood(f"{self.topic} is flooded: more comes than anyone could mean; it was closed")
            self._begin()
        return filled

    def _flooded(self, rate: float) -> bool:
        full = self._count > FULL * self._depth * self._polls
        return rate > self._most or (full and rate > MANY * self._most)

    def _begin(self) -> None:
        """Count anew."""
        self._since, self._count, self._polls = time.perf_counter(), 0, 0
