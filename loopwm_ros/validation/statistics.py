"""The statistics that a summary is made of; what was never measured is None, never NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of all results: immutable, unknown keys and NaN refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Spread(Record):
    """Distribution of a duration [ms]; all None where nothing was measured."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


class Counts(Record):
    """Distribution of a count per plan; all None where nothing was planned."""

    mean: float | None = None
    min: int | None = None
    p50: float | None = None
    max: int | None = None


class LoopsUsed(Record):
    """Iterations of the recurrent block per imagined transition, over the rollouts of finished refinements.

    Rollouts that the deadline cut short, and observed transitions, are not counted.
    """

    mean: float | None = None
    p50: int | None = None
    p95: int | None = None
    histogram: dict[int, int] = {}


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """Wilson score interval of a proportion; None without trials (E. B. Wilson, 1927)."""
    if trials == 0:
        return None
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, shrink = successes / trials, 1 + z * z / trials
    centre = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + (z / (2 * trials)) ** 2)
    return max(0.0, (centre - half) / shrink), min(1.0, (centre + half) / shrink)


def median(values: Sequence[float]) -> float | None:
    """The median; None without values."""
    return float(np.median(values)) if values else None


def spread(milliseconds: Sequence[float]) -> Spread:
    """Percentiles of durations."""
    if not milliseconds:
        return Spread()
    p50, p99, top = np.percentile(milliseconds, [50, 99, 100])
    return Spread(p50=float(p50), p99=float(p99), max=float(top))


def counts(values: Sequence[int]) -> Counts:
    """Mean, extremes and median of counts."""
    if not values:
        return Counts()
    return Counts(mean=float(np.mean(values)), min=min(values), p50=float(np.median(values)), max=max(values))


def loops_used(histogram: NDArray[np.int64]) -> LoopsUsed:
    """Statistics of a histogram where entry `i` counts transitions of `i` iterations."""
    total = int(histogram.sum())
    if total == 0:
        return LoopsUsed()
    cumulative = np.cumsum(histogram)
    p50, p95 = (int(np.searchsorted(cumulative, share * total)) for share in (0.5, 0.95))
    mean = float(np.arange(len(histogram)) @ histogram) / total
    filled = {i: int(count) for i, count in enumerate(histogram) if count}
    return LoopsUsed(mean=mean, p50=p50, p95=p95, histogram=filled)
