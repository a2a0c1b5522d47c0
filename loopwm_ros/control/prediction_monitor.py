"""Holds imagined against actual futures, and says how fast the arm may be: the monitor without ROS."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from loopwm_ros.config.task import TOOL
from loopwm_ros.control.gap_series import (
    GapSeries,
    GapStatus,
    Limit,
    MonitorSettings,
    Unit,
    speed_share,
)
from loopwm_ros.control.joint_gap import JointGaps
from loopwm_ros.control.joint_history import JointHistory
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.prediction_gap import compare
from loopwm_ros.control.synchroniser import JUMP
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, JointState, JointTrajectory, PointPaths

JOINTS = "joints"  # name of gaps between planned and measured joints
READINGS = 64  # kept: over 3 s at 20 Hz
PENDING = 40  # predictions that wait until the joints have come to their end
PLANNING = 0.5  # mpc is active this long after its last plan [s]
MAX_POINTS, MAX_STEPS = 8, 64  # of a prediction: memory is bounded, whatever a peer sends

Key = tuple[str, Unit, int]


@dataclass(frozen=True)
class Verdict:
    """What the safety node is told, and why."""

    speed_scale: float  # share of full speed, 0 to 1; 0: stop
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compared:
    """The last prediction with what came, for viewers."""

    imagined: PointPaths
    tools: F64  # measured at the same times, (steps, 3)
    seen: Mapping[str, F64]  # objects as they were read in that time, by name, (m, 3)


class PredictionMonitor:
    """Every gap at every step ahead, with running quantiles, against the limits of a validation.

    `now` is a monotonic clock [s]; stamps are ROS time and may jump. Without limits it only reports.
    """

    def __init__(
        self, kinematics: Kinematics, settings: MonitorSettings, limits: Iterable[Limit] = ()
    ) -> None:
        self._kinematics, self._settings = kinematics, settings
        self._limits: dict[Key, float] = {(li.name, li.unit, li.step): li.limit for li in limits}
        self._series: dict[Key, GapSeries] = {}
        self._joints = JointHistory()
        self._joint_gaps = JointGaps(self._joints)
        self._readings: deque[PointPaths] = deque(maxlen=READINGS)
        self._pending: deque[PointPaths] = deque(maxlen=PENDING)
        self._planned: float | None = None  # when the last plan came, on the monotonic clock
        self._since = 0.0  # mpc has planned since, or the last comparison was then
        self._arrived = 0.0  # when the last prediction came
        self.compared: Compared | None = None

    def add_joints(self, joints: JointState) -> None:
        """A measured joint state. One from before the last by more than `JUMP`: the clock jumped back."""
        newest = self._joints.newest
        if newest is not None and newest[0] - joints.stamp > JUMP:
            for held in (self._readings, self._pending):
                held.clear()
            self._joint_gaps.clear()
        self._joints.add(joints)

    def add_command(self, stamp: float, position: F64) -> None:
        """A joint reference (n,) [rad] that went to the controller at `stamp` [s]."""
        self._joint_gaps.add_command(stamp, position)

    def add_plan(self, plan: JointTrajectory, now: float) -> None:
        """A plan: mpc is active."""
        if self._planned is None or now - self._planned > PLANNING:
            self._since = now
        self._planned = now
        self._joint_gaps.add_plan(plan)

    def add_reading(self, reading: PointPaths) -> None:
        """What the encoder is sure of in one image."""
        self._readings.append(reading)

    def add_prediction(self, prediction: PointPaths, now: float) -> None:
        """A future imagined in hindsight, to be compared as soon as the joints have come to its end.

        Raises:
            SensorError: it has no steps, or too many.
        """
        steps, points = len(prediction.offsets), len(prediction.points)
        if not (1 <= steps <= MAX_STEPS and 1 <= points <= MAX_POINTS and prediction.offsets[0] > 0):
            raise SensorError(
                f"prediction of {points} points and {steps} steps; expected 1 to {MAX_POINTS} points "
                f"and 1 to {MAX_STEPS} steps after its start"
            )
        self._arrived = now
        self._joint_gaps.period = float(prediction.offsets[0])
        self._pending.append(prediction)

    def update(self, now: float) -> Verdict:
        """Compare what is due at `now` [s]; the verdict is never NaN."""
        self._compare(now)
        for step, radians in self._joint_gaps.due():
            self._add((JOINTS, "rad", step), now, radians)
        return self._verdict(now)

    def statuses(self, now: float) -> list[GapStatus]:
        """All gaps as they stand at `now` [s], sorted."""
        return [
            GapStatus(*key, series.recent(now), *series.spread(), self._limits.get(key))
            for key, series in sorted(self._series.items())
        ]

    def _compare(self, now: float) -> None:
        newest, waiting = self._joints.newest, []
        if newest is None:
            return
        for prediction in self._pending:
            times = prediction.stamp + prediction.offsets
            if newest[0] < times[-1] <= newest[0] + JUMP:
                waiting.append(prediction)
            elif self._joints.oldest <= times[0] and times[-1] <= newest[0]:
                self._book(prediction, times, now)
        self._pending = deque(waiting, maxlen=PENDING)

    def _book(self, prediction: PointPaths, times: F64, now: float) -> None:
        tools = self._kinematics.tool_positions(self._joints.at(times))
        for gap in compare(prediction, tools, self._readings):
            self._add((gap.name, "m", gap.step), now, gap.metres)
        self.compared, self._since = Compared(prediction, tools, self._seen(times)), now

    def _seen(self, times: F64) -> dict[str, F64]:
        """Objects (m, 3) by name, as read between the first and the last of `times` [s]."""
        found: dict[str, list[F64]] = {}
        for reading in self._readings:
            if times[0] <= reading.stamp <= times[-1]:
                for name in reading.points.keys() - {TOOL}:
                    found.setdefault(name, []).append(reading.points[name][0])
        return {name: np.stack(path) for name, path in found.items()}

    def _add(self, key: Key, now: float, gap: float) -> None:
        if key not in self._series:
            if len(self._series) >= MAX_POINTS * MAX_STEPS:
                return
            self._series[key] = GapSeries(self._settings)
        self._series[key].add(now, gap)

    def _verdict(self, now: float) -> Verdict:
        if not self._limits:
            return Verdict(1.0, ("no validation is given, so gaps are only reported",))
        if reason := self._missing(now):
            return Verdict(0.0, (reason,))
        scale, reasons = 1.0, []
        for (name, unit, step), limit in self._limits.items():
            series = self._series.get((name, unit, step))
            recent = None if series is None else series.recent(now)
            if recent is not None and recent > limit:
                scale = min(scale, speed_share(recent, limit, self._settings.stop_at))
                reasons.append(f"{name}, {step} ahead: gap {recent:.4g} {unit}, validated to {limit:.4g}")
        return Verdict(scale, tuple(reasons))

    def _missing(self, now: float) -> str:
        """Why nothing has been compared for too long while mpc plans; empty if all is well."""
        timeout = self._settings.timeout
        active = self._planned is not None and now - self._planned <= PLANNING
        if not active or now - self._since <= timeout:
            return ""
        cause = "predictions come, joint states that reach them do not"
        if now - self._arrived > timeout:
            cause = "mpc plans and sends no predictions; is its gap_steps 0, or its time too short?"
        return f"nothing to compare for {now - self._since:.1f} s: {cause}"
