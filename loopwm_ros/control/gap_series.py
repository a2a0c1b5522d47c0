"""Gaps over time, their limits, and how fast the arm may be while they are that large."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from loopwm_ros.config import Settings

Unit = Literal["m", "rad"]


class MonitorSettings(Settings):
    """How gaps are held against their limits."""

    window: int = Field(300, ge=10, le=10000, description="gaps at each step that quantiles look back on")
    recent: int = Field(
        5, ge=1, le=50, description="gaps at a step whose median is held against its limit; one in a slot"
    )
    memory: float = Field(2.0, ge=0.2, le=60.0, description="older gaps slow nothing any more [s]")
    stop_at: float = Field(
        2.0, ge=1.1, le=10.0, description="gap that stops the arm, in limits; from one limit on it is slowed"
    )
    timeout: float = Field(
        1.0, ge=0.2, le=10.0, description="without a comparison while mpc plans, until the arm stops [s]"
    )


@dataclass(frozen=True)
class Limit:
    """What validation allows."""

    name: str  # "tool", an object, or "joints"
    unit: Unit
    step: int  # model periods ahead
    limit: float  # [m] or [rad]


@dataclass(frozen=True)
class GapStatus:
    """One gap as it stands."""

    name: str
    unit: Unit
    step: int
    recent: float | None  # median of the last ones; None: too few, or too old
    p50: float  # over the window, as ...
    p99: float
    limit: float | None  # None: validation has none

    @property
    def within(self) -> bool | None:
        """Within what validation saw; None where that is not known."""
        return None if self.limit is None or self.recent is None else self.recent <= self.limit


class GapSeries:
    """Gaps of one point at one step ahead. The clock is monotonic, whatever happens to ROS time."""

    def __init__(self, settings: MonitorSettings) -> None:
        self._memory, self._enough = settings.memory, settings.recent // 2 + 1
        self._window: deque[float] = deque(maxlen=settings.window)
        self._recent: deque[tuple[float, float]] = deque(maxlen=settings.recent)

    def add(self, now: float, gap: float) -> None:
        """A gap measured at `now` [s]; what is no number counts as infinite."""
        gap = math.inf if math.isnan(gap) else gap
        self._window.append(gap)
        self._recent.append((now, gap))

    def recent(self, now: float) -> float | None:
        """Median of the last gaps, so that a single outlier is nothing; None while there are too few."""
        values = [gap for at, gap in self._recent if now - at <= self._memory]
        return quantile(values, 0.5) if len(values) >= self._enough else None

    def spread(self) -> tuple[float, float]:
        """Median and 99th percentile over the window."""
        return quantile(self._window, 0.5), quantile(self._window, 0.99)


def quantile(values: Sequence[float], share: float) -> float:
    """The upper of two neighbours, never between them: infinite values are among them."""
    return float(np.quantile(np.asarray(values), share, method="higher"))


def speed_share(gap: float, limit: float, stop_at: float) -> float:
    """Share of full speed: 1 up to the limit, then falling evenly to 0 at `stop_at` limits."""
    if gap <= limit:
        return 1.0
    if not gap < stop_at * limit:
        return 0.0
    return (stop_at - gap / limit) / (stop_at - 1.0)
