"""Joints as they were told and planned to be, against joints as they were measured."""

from __future__ import annotations

from collections import deque

import numpy as np

from loopwm_ros.control.command_history import SILENCE
from loopwm_ros.control.joint_history import JointHistory
from loopwm_ros.control.receding_horizon import COMMITTED
from loopwm_ros.control.trajectory import sample
from loopwm_ros.types import F64, JointState, JointTrajectory

PENDING = 40  # plans that wait until the joints have come to their end


class JointGaps:
    """Largest distance of a joint [rad], in hindsight, while the arm is being commanded."""

    def __init__(self, measured: JointHistory, period: float | None = None) -> None:
        """`measured` is filled by the caller; `period` is the model's [s]: plans wait until it is known."""
        self._measured, self.period = measured, period
        self._sent = JointHistory()
        self._since = np.inf  # the arm has been commanded without a pause since [s]
        self._plans: deque[JointTrajectory] = deque(maxlen=PENDING)

    def clear(self) -> None:
        """Forget everything, e.g. after a jump of the clock."""
        self._sent.clear()
        self._plans.clear()
        self._since = np.inf

    def add_command(self, stamp: float, position: F64) -> None:
        """A joint reference (n,) [rad] that was sent at `stamp` [s]."""
        last = self._sent.newest
        if last is None or not 0.0 <= stamp - last[0] <= SILENCE:
            self._since = stamp
        self._sent.add(JointState(stamp, position, np.zeros_like(position)))

    def add_plan(self, plan: JointTrajectory) -> None:
        """A plan, in effect from its stamp on; the same one again changes nothing."""
        if not self._plans or plan.stamp != self._plans[-1].stamp:
            self._plans.append(plan)

    def due(self) -> list[tuple[int, float]]:
        """Pairs (step ahead, gap) of plans that have come to pass; step 0: references when they were sent."""
        newest = self._measured.newest
        if newest is None:
            return []
        found = [] if self.period is None else self._past(newest[0], self.period)
        last = self._sent.newest
        if last is not None and self._commanded(newest[0], newest[0]):
            at = np.array([min(last[0], newest[0])])
            found.append((0, _largest(self._sent.at(at)[0] - self._measured.at(at)[0])))
        return found

    def _past(self, newest: float, period: float) -> list[tuple[int, float]]:
        found, waiting = [], []
        for plan in self._plans:
            end = plan.stamp + COMMITTED * period
            if end > newest:
                waiting.append(plan)
            elif self._commanded(plan.stamp, end) and self._measured.oldest <= plan.stamp:
                found += self._of(plan, period)
        self._plans = deque(waiting, maxlen=PENDING)
        return found

    def _commanded(self, start: float, end: float) -> bool:
        last = self._sent.newest
        return last is not None and self._since <= start and end - last[0] <= SILENCE

    def _of(self, plan: JointTrajectory, period: float) -> list[tuple[int, float]]:
        times = plan.stamp + period * np.arange(1, COMMITTED + 1)
        measured = self._measured.at(np.asarray(times, dtype=np.float64))
        errors = (sample(plan, float(at))[0] - joints for at, joints in zip(times, measured, strict=True))
        return [(step, _largest(error)) for step, error in enumerate(errors, start=1)]


def _largest(error: F64) -> float:
    return float(np.max(np.abs(error)))
