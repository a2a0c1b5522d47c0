"""When control periods and planning slots begin, and which of them were missed."""

from __future__ import annotations

import math
from dataclasses import dataclass

ROUNDING = 1e-9  # [s]
EARLY = 0.02  # share of a period by which a timer may fire before its time
APART = 0.025  # [s] between the clocks that says nothing
PATIENCE = 0.2  # [s] that they may be further apart
JUMP = 0.1  # [s] between them that is no hiccup


@dataclass(frozen=True)
class Tick:
    """One control period."""

    stamp: float  # its start in ROS time [s]
    due: float  # its start on the steady clock [s]
    slot: float | None  # start of the slot it opens in ROS time [s]; None within a slot
    slot_due: float  # start of its slot on the steady clock [s]
    skipped: int  # periods since the last tick that had none


class Schedule:
    """Counts periods on a steady clock and stamps them in ROS time.

    Both clocks are read together at the start; stamps then follow at exactly one period each, so that
    plans join up. When the two clocks stay apart by more than `APART` (a simulation that is too slow), or by
    `JUMP` at once, stamps start anew from ROS time, and the plan that is due is lost. A hiccup of /clock that
    is over within `PATIENCE` changes nothing.
    """

    def __init__(self, period: float, stride: int, steady: float, ros: float) -> None:
        """`period` of control [s], `stride` periods a slot; first tick at (`steady`, `ros`) [s]."""
        self._period, self._stride = period, stride
        self._steady, self._ros = steady, ros
        self._last = -1
        self._opened = -1
        self._apart = 0  # ticks in a row at which the clocks were apart

    def tick(self, steady: float, ros: float) -> Tick | None:
        """The period that has begun at (`steady`, `ros`) [s]; None if it has been handed out already."""
        index = math.floor((steady - self._steady) / self._period + EARLY)
        if index <= self._last:
            return None
        skipped, self._last = index - self._last - 1, index
        self._follow(index, ros)
        slot, first = divmod(index, self._stride)
        opens = slot > self._opened
        self._opened = slot
        return Tick(
            self._stamp(index),
            self._steady + index * self._period,
            self._stamp(index - first) if opens else None,
            self._steady + (index - first) * self._period,
            skipped,
        )

    def _follow(self, index: int, ros: float) -> None:
        """Start the stamps anew where ROS time has gone elsewhere."""
        apart = abs(ros - self._stamp(index))
        self._apart = self._apart + 1 if apart > APART else 0
        if self._apart * self._period > PATIENCE + ROUNDING or apart > JUMP + ROUNDING:
            self._ros, self._apart = ros - index * self._period, 0

    def _stamp(self, index: int) -> float:
        return self._ros + index * self._period
