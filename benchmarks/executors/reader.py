"""A node that reads joints and pictures as mpc does, with a control timer; a thread computes beside."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import Executor
from rclpy.subscription import Subscription

from benchmarks.executors.source import SIZE
from loopwm_ros.bench.looking import looking
from loopwm_ros.config import ArmConfig
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.data import topics
from loopwm_ros.nodes.inlets import InletNode
from loopwm_ros.nodes.mpc_inputs import MpcInputs
from loopwm_ros.nodes.sensor_inbox import SensorInbox
from loopwm_ros.nodes.spin import WAKE

CONTROL = 0.02  # [s], period of the control timer
PLAN, COMPUTING = 0.1, 0.03  # [s]: so often, and so long, the other thread computes
TOLERANCE = 0.1  # [s] between a picture and the nearest joints


class Reader(InletNode):
    """Notes when its control timer was served."""

    def __init__(self, arm: ArmConfig, polled: bool) -> None:
        """`polled`: it reads its topics in a timer of its own; else it is called back for each message."""
        self._polled = polled
        super().__init__("reader")
        self.served: list[float] = []  # on the steady clock [s]
        synchroniser = Synchroniser(SIZE, TOLERANCE)
        self.inbox = SensorInbox(synchroniser, math.inf, arm.topics.joint_states, topics.COMPRESSED)
        MpcInputs(self, arm, topics.COMPRESSED, self.inbox, None)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        if polled:
            self.poll_every(self.poll_period, steady)
        alone = MutuallyExclusiveCallbackGroup()  # several threads may serve it beside a picture
        self.create_timer(CONTROL, self._control, callback_group=alone, clock=steady)

    def _control(self) -> None:
        self.served.append(time.perf_counter())

    @property
    def subscriptions(self) -> Iterator[Subscription[Any]]:
        """What the executor serves."""
        yield from super().subscriptions if self._polled else super(InletNode, self).subscriptions


def spin(executor: Executor, seconds: float) -> None:
    """Serve for so long."""
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        executor.spin_once(timeout_sec=min(left, WAKE))


@contextmanager
def planning(inbox: SensorInbox) -> Iterator[list[int]]:
    """Compute now and then in a thread, as planning does; notes how many joint states each round had."""
    taken, matrix = list[int](), np.ones((64, 64), dtype=np.float32)

    def plan() -> None:
        taken.append(len(inbox.take().joints))
        end = time.perf_counter() + COMPUTING
        while time.perf_counter() < end:
            matrix @ matrix

    with looking(plan, PLAN - COMPUTING, "planning"):
        yield taken
