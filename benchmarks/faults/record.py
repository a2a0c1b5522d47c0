"""What the controller was told and how the arm moved, and whether that was within limits."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loopwm_ros.config import ArmConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.nodes.json_lines import JsonLines
from loopwm_ros.types import F64
from loopwm_ros.validation.fault_rows import Shares

STILL = 1e-3  # of the fastest joint, at rest [rad/s]
EXACT = 1.0 + 1e-3  # of a limit, for rounding
OVERSHOOT = 1.1  # of the velocity limit, by measured joints: servo and noise
WINDOW = 0.1  # in which measured velocity is taken [s]
EVERY = 0.01  # between two looks at the file [s]
NEAR = 1e-4  # beyond a range or the workspace, for rounding [rad, m]
BRAKING = ("stale", "no plan", "monitor")  # words in the reasons of a gate that is armed and brakes


@dataclass(frozen=True)
class Sent:
    """One servo period of the safety node."""

    at: float  # steady clock [s]
    position: F64 | None  # (n,) [rad]; None: nothing was sent
    state: str
    reasons: tuple[str, ...]

    @property
    def braking(self) -> bool:
        """Does it brake, rather than follow the plan?"""
        held = any(word in reason for reason in self.reasons for word in BRAKING)
        return self.state in ("stopped", "fault") or (self.state == "armed" and held)


class Record:
    """Grows while a scene runs."""

    def __init__(self, sent: Path, arm: ArmConfig, rate: float) -> None:
        """`sent` is the file of the safety node, `rate` its servo rate [Hz]."""
        self._lines, self._period = JsonLines(sent), 1.0 / rate
        self._kinematics, self._workspace = Kinematics(arm), arm.workspace
        self._read = 0.0
        self.sent: list[Sent] = []
        self._measured: list[tuple[float, F64]] = []

    def read(self) -> None:
        """Take in what was sent since, if the last call is not too short ago."""
        if time.perf_counter() - self._read < EVERY:
            return
        self._read = time.perf_counter()
        for line in self._lines.new():
            position = None if line["position"] is None else np.array(line["position"])
            self.sent.append(Sent(line["at"], position, line["state"], tuple(line["reasons"])))

    def measure(self, stamp: float, position: F64) -> None:
        """Note measured joints (n,) [rad]."""
        self._measured.append((stamp, position))

    def clear(self) -> None:
        """Forget all but the last second."""
        self.read()
        self.sent, self._measured = self.sent[-80:], self._measured[-125:]

    def speed(self, since: float = 0.0) -> float:
        """Of the fastest joint, in the last command after `since` [rad/s]; 0 where none was sent."""
        last = [each.position for each in self.sent[-2:] if each.at >= since]
        if len(last) < 2 or last[0] is None or last[1] is None:
            return 0.0
        return float(np.max(np.abs(last[1] - last[0]))) / self._period

    def braked(self, since: float, until: float, why: str) -> float | None:
        """When braking began between two times, for the reason `why` if that is given."""
        found = [each for each in self.sent if since <= each.at <= until and each.braking]
        given = [each for each in found if re.search(why, ", ".join(each.reasons))]
        return next((each.at for each in given or found), None)

    def reasons(self, since: float, until: float) -> list[str]:
        """Why it was braked between two times, each reason once."""
        found = [each for each in self.sent if since <= each.at <= until and each.braking]
        return list(dict.fromkeys(reason for each in found for reason in each.reasons))

    def rested(self, since: float, until: float) -> float | None:
        """From when on, between `since` and `until`, the commands stood still; None: they did not."""
        rest, before = None, None
        for each in self.sent:
            if each.at > until:
                break
            moved = before is not None and each.position is not None
            moved = moved and bool(np.max(np.abs(each.position - before)) > STILL * self._period)
            if moved or each.at < since:
                rest = None
            elif rest is None:
                rest = each.at
            before = each.position if each.position is not None else before
        return rest

    def shares(self) -> Shares:
        """The worst that there was, as shares of the limits."""
        k = self._kinematics
        limits = (k.velocity_limit, k.acceleration_limit, k.jerk_limit)
        worst = [0.0, 0.0, 0.0]
        beyond, outside = 0.0, 0.0
        for run in self._runs():
            for order, limit in enumerate(limits, start=1):
                if len(run) > order:
                    rate = np.abs(np.diff(run, order, axis=0)) / self._period**order
                    worst[order - 1] = max(worst[order - 1], float(np.max(rate / limit)))
            beyond = max(beyond, float(np.max(np.maximum(k.lower - run, run - k.upper))))
            tools = k.tool_positions(run)
            low, high = np.asarray(self._workspace.low), np.asarray(self._workspace.high)
            outside = max(outside, float(np.max(np.maximum(low - tools, tools - high))))
        return Shares(
            velocity=worst[0],
            acceleration=worst[1],
            jerk=worst[2],
            measured_velocity=self._measured_share(),
            beyond_range=max(0.0, beyond),
            outside=max(0.0, outside),
        )

    def _runs(self) -> list[F64]:
        """Commands (m, n) that followed each other without a pause."""
        runs: list[list[F64]] = [[]]
        for each in self.sent:
            if each.position is not None:
                runs[-1].append(each.position)
            elif runs[-1]:
                runs.append([])
        return [np.array(run) for run in runs if run]

    def _measured_share(self) -> float:
        stamps = np.array([stamp for stamp, _ in self._measured])
        positions = np.array([position for _, position in self._measured])
        ends = np.searchsorted(stamps, stamps + WINDOW)
        whole = ends < len(stamps)
        starts = np.flatnonzero(whole)
        if not starts.size:
            return 0.0
        span = stamps[ends[whole]] - stamps[starts]
        rate = np.abs(positions[ends[whole]] - positions[starts]) / span[:, None]
        return float(np.max(rate / self._kinematics.velocity_limit))


def within(shares: Shares) -> bool:
    """Did everything stay within its limit?"""
    commanded = max(shares.velocity, shares.acceleration, shares.jerk) <= EXACT
    measured = shares.measured_velocity <= OVERSHOOT
    return commanded and measured and max(shares.beyond_range, shares.outside) <= NEAR
