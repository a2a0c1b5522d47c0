"""The planning thread: one slot at a time, lateness reported, failures kept."""

from __future__ import annotations

import threading
import time

import numpy as np

from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.nodes.planning_thread import PlanningThread, Slot
from loopwm_ros.nodes.sensor_inbox import Taken
from loopwm_ros.types import JointState

PERIOD = 0.1


class Horizon:
    """Plans when it is let go."""

    def __init__(self) -> None:
        self.slots: list[float] = []
        self.sent: list[float] = []
        self.measured: list[float] = []
        self.offered: list[int] = []
        self.recovered = 0
        self.started, self.go = threading.Event(), threading.Event()

    def add_command(self, stamp: float, position: np.ndarray) -> None:
        self.sent.append(stamp)

    def add_joints(self, joints: JointState) -> None:
        self.measured.append(joints.stamp)

    def recover(self) -> None:
        self.recovered += 1

    def plan(self, observation: object, slot: float, deadline: float) -> PlanReport:
        self.started.set()
        self.go.wait(10)
        if slot < 0:
            raise RuntimeError("broken")
        self.slots.append(slot)
        return PlanReport(slot, 0.15, 0.01, None, None)


class Inbox:
    """Always has an observation, and one command and one joint state each time."""

    def take(self) -> Taken:
        return Taken(object(), [(1.0, np.zeros(7))], [JointState(1.01, np.zeros(7), np.zeros(7))])


class Goals:
    """Notes which slots had been planned when the controller was offered to it."""

    def take(self, horizon: Horizon) -> None:
        horizon.offered.append(len(horizon.slots))


def run(*slots: Slot) -> tuple[Horizon, list[tuple[float, bool]], PlanningThread]:
    """Open the first slot, the others while it is being planned, and finish."""
    horizon, plans = Horizon(), []
    thread = PlanningThread(
        horizon, Inbox(), Goals(), PERIOD, 0.75, lambda report, _, late: plans.append((report.slot, late))
    )
    thread.open(slots[0])
    assert horizon.started.wait(10)
    for slot in slots[1:]:
        thread.open(slot)
    horizon.go.set()
    while thread.failure is None and len(plans) < min(2, len(slots)):
        time.sleep(0.001)
    thread.stop()
    return horizon, plans, thread


def test_a_slot_that_is_over_before_its_turn_is_left_out() -> None:
    now = time.perf_counter()
    horizon, _, _ = run(Slot(1.0, now), Slot(1.1, now), Slot(1.2, now))
    assert horizon.slots == [1.0, 1.2]
    assert horizon.sent == [1.0, 1.0]
    assert horizon.measured == [1.01, 1.01]
    assert horizon.offered == [0, 1], "a goal is taken before each plan"


def test_a_plan_that_ends_after_its_slot_is_late() -> None:
    now = time.perf_counter()
    _, plans, _ = run(Slot(1.0, now + 1000.0), Slot(1.1, now - 2 * PERIOD))
    assert plans == [(1.0, False), (1.1, True)]


def test_a_failure_is_kept_for_the_node() -> None:
    _, plans, thread = run(Slot(-1.0, time.perf_counter()))
    assert not plans
    assert "broken" in str(thread.failure)


def test_planning_goes_on_after_a_failure() -> None:
    now = time.perf_counter()
    horizon, plans, thread = run(Slot(-1.0, now))
    again = PlanningThread(
        horizon, Inbox(), Goals(), PERIOD, 0.75, lambda report, *_: plans.append(report.slot)
    )
    again.failure = thread.failure
    again.open(Slot(1.0, now))
    while not plans:
        time.sleep(0.001)
    again.stop()
    assert (plans, again.failure, horizon.recovered) == ([1.0], None, 1)
