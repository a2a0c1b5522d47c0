"""Plans in a thread of its own, one slot at a time, so that the timer is never kept waiting."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from loopwm_ros.control.receding_horizon import PlanReport, RecedingHorizon
from loopwm_ros.nodes import scheduling
from loopwm_ros.nodes.goal_inbox import GoalInbox
from loopwm_ros.nodes.sensor_inbox import SensorInbox


@dataclass(frozen=True)
class Slot:
    """One planning slot."""

    stamp: float  # its start in ROS time [s]
    began: float  # its start on the steady clock [s]


class PlanningThread:
    """Runs `RecedingHorizon.plan` for each slot it is given; one that is over before its turn is left out.

    A plan that fails, be it for want of memory, is kept as `failure` until one succeeds.
    """

    def __init__(
        self,
        horizon: RecedingHorizon,
        inbox: SensorInbox,
        goals: GoalInbox,
        period: float,
        share: float,
        on_plan: Callable[[PlanReport, float, bool], None],
    ) -> None:
        """A slot lasts `period` [s], of which `share` may be spent.

        `on_plan` gets the report, the milliseconds since the slot began, and whether that was too long.
        """
        self._horizon, self._inbox, self._goals = horizon, inbox, goals
        self._period, self._share = period, share
        self._on_plan = on_plan
        self._slots: queue.SimpleQueue[Slot | None] = queue.SimpleQueue()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="planning", daemon=True)
        self._thread.start()

    def open(self, slot: Slot) -> None:
        """A slot has begun."""
        self._slots.put(slot)

    def stop(self) -> None:
        """Finish the present plan and end the thread."""
        self._slots.put(None)
        self._thread.join()

    def _run(self) -> None:
        scheduling.step_down()
        while (slot := self._slots.get()) is not None:
            if self._slots.empty():
                self._attempt(slot)

    def _attempt(self, slot: Slot) -> None:
        try:
            if self.failure is not None:
                self._horizon.recover()
            self._plan(slot)
        except Exception as error:  # noqa: BLE001  (shown by the node, which then holds the arm)
            self.failure = error

    def _plan(self, slot: Slot) -> None:
        taken = self._inbox.take()
        for stamp, position in taken.sent:
            self._horizon.add_command(stamp, position)
        for joints in taken.joints:
            self._horizon.add_joints(joints)
        self._goals.take(self._horizon)
        if taken.observation is None:
            return
        report = self._horizon.plan(taken.observation, slot.stamp, slot.began + self._share * self._period)
        self.failure = None
        spent = time.perf_counter() - slot.began
        self._on_plan(report, spent * 1e3, spent > self._period)
