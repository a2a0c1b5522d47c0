"""What a node reads itself: nothing before it asks, then all in order; a flood is closed and opened again."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from std_msgs.msg import Float64

from loopwm_ros.nodes.inlets import KEPT, WINDOW, Inlet, InletNode
from loopwm_ros.nodes.qos import COMMAND
from tests.ros.conftest import Bench

TOPIC, MOST = "/inlet", 1000.0


class Reader:
    """A node with an inlet, and a publisher in another node."""

    def __init__(self, bench: Bench) -> None:
        self.heard: list[float] = []
        self.floods: list[str] = []
        self.sent = 0
        self._bench, self.node = bench, bench.add(InletNode("reader"))
        self.inlet = Inlet(self.node, Float64, TOPIC, self._hear, COMMAND, MOST, on_flood=self.floods.append)
        self._publisher = bench.node.create_publisher(Float64, TOPIC, 100)
        self.connect()

    def connect(self) -> None:
        self._bench.until(lambda: self._publisher.get_subscription_count() == 1)

    def send(self, count: int) -> None:
        for _ in range(count):
            self.sent += 1
            self._publisher.publish(Float64(data=float(self.sent)))

    def flood(self, until: Any) -> None:
        def more() -> bool:
            self.send(50)
            self.node.poll()
            return bool(until())

        self._bench.until(more)

    def _hear(self, message: Float64) -> None:
        self.heard.append(message.data)


@pytest.fixture
def reader(bench: Bench) -> Reader:
    return Reader(bench)


def test_nothing_is_read_before_the_node_polls(bench, reader) -> None:
    served = []
    bench.node.create_subscription(Float64, TOPIC, served.append, 10)
    bench.until(lambda: bench.node.count_subscribers(TOPIC) == 2)
    bench.until(lambda: reader.send(3) or served)
    assert not reader.heard
    bench.until(lambda: reader.node.poll() or reader.heard)
    assert reader.heard == sorted(reader.heard)


def test_a_poll_reads_no_more_than_its_share_the_newest(bench, reader) -> None:
    bench.until(lambda: reader.node.poll() or reader.send(1) or reader.heard)
    reader.node.poll()
    reader.heard.clear()
    reader.send(50)
    time.sleep(0.2)
    reader.node.poll()
    share = math.ceil(MOST * KEPT)
    assert reader.heard == [reader.sent - share + i + 1.0 for i in range(share)]


def test_a_flood_is_closed_and_can_be_opened_again(bench, reader) -> None:
    reader.flood(until=lambda: reader.floods)
    assert f"{TOPIC} is flooded" in reader.floods[0]
    assert reader.inlet.subscription is None
    heard = len(reader.heard)
    reader.send(1)
    reader.node.poll()
    assert len(reader.heard) == heard
    reader.node.reopen()
    reader.connect()
    bench.until(lambda: reader.send(1) or reader.node.poll() or len(reader.heard) > heard)


def test_what_a_fast_driver_sends_is_no_flood_when_the_node_comes_late(bench, reader) -> None:
    end = time.perf_counter() + 5.0 * WINDOW
    while time.perf_counter() < end:
        reader.send(10)  # a third of what anyone could mean, and the queue is nearly full
        time.sleep(0.03)
        reader.node.poll()
    assert not reader.floods
    assert len(reader.heard) > 50


def test_the_newest_alone_is_passed_on_where_only_that_counts(bench, reader) -> None:
    newest: list[float] = []
    Inlet(reader.node, Float64, TOPIC, lambda m: newest.append(m.data), COMMAND, MOST, newest=True)
    bench.until(lambda: bench.node.count_subscribers(TOPIC) == 2)
    bench.until(lambda: reader.node.poll() or reader.send(1) or newest)
    time.sleep(0.2)
    reader.node.poll()
    newest.clear()
    reader.send(5)
    time.sleep(0.2)
    reader.node.poll()
    assert newest == [float(reader.sent)]


def test_a_burst_is_no_flood(bench, reader) -> None:
    end = time.perf_counter() + 3.0 * WINDOW
    while time.perf_counter() < end:
        quiet = time.perf_counter() + 0.7 * WINDOW
        reader.send(50)  # all at once; by the window, three quarters of what anyone could mean
        while time.perf_counter() < quiet:
            reader.node.poll()
    assert not reader.floods
    assert len(reader.heard) > 50


def test_what_is_removed_is_polled_no_more(reader) -> None:
    reader.inlet.remove()
    assert reader.node.inlets == ()
    reader.node.poll()


def test_a_node_polls_by_one_timer_as_often_as_it_was_told_last(bench, reader) -> None:
    clock = reader.node.get_clock()
    reader.node.poll_every(reader.node.rest_period, clock)
    reader.node.poll_every(reader.node.poll_period, clock)
    (timer,) = reader.node.timers
    assert timer.timer_period_ns == 1e9 * reader.node.poll_period
    bench.until(lambda: reader.send(1) or reader.heard)


def test_a_node_polls_often_while_something_comes(bench, reader, monkeypatch) -> None:
    polls: list[float] = []
    poll = reader.node.poll
    monkeypatch.setattr(reader.node, "poll", lambda: polls.append(time.perf_counter()) or poll())

    def period() -> float:
        polls.clear()
        bench.until(lambda: len(polls) > 10)
        return float(np.median(np.diff(polls)))

    reader.node.serve(reader.node.poll_as_needed, Clock(clock_type=ClockType.STEADY_TIME))
    bench.until(lambda: reader.node._resting)
    resting = period()
    bench.until(lambda: reader.send(1) or not reader.node._resting)
    assert 2.0 * period() < resting
    bench.until(lambda: reader.node._resting)


@pytest.mark.parametrize(
    ("resting", "fullest", "crowded"),
    [(False, 0.05, False), (False, 0.2, True), (True, 0.9, False), (True, 1.0, True)],
)
def test_a_queue_that_would_overflow_while_a_node_rests_is_crowded(reader, resting, fullest, crowded) -> None:
    reader.node._resting, reader.node.fullest = resting, fullest
    assert reader.node.crowded is crowded
