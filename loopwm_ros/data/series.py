"""Values sampled at increasing times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loopwm_ros.types import F64

EPSILON = 1e-6  # stamps closer than this are equal [s]


@dataclass(frozen=True)
class Series:
    """`values[i]` holds at `stamps[i]` [s]."""

    stamps: F64  # (m,), increasing
    values: F64  # (m, k)

    @classmethod
    def ordered(cls, stamps: ArrayLike, values: Sequence[ArrayLike] | F64, width: int = 0) -> Series:
        """Series of samples in any order; of samples with equal stamps the first counts.

        `width` is k where there may be no samples.
        """
        unique, first = np.unique(np.asarray(stamps, dtype=np.float64), return_index=True)
        if not len(unique):
            return cls(unique, np.zeros((0, width)))
        return cls(unique, np.asarray(values, dtype=np.float64)[first])

    def __len__(self) -> int:
        return len(self.stamps)

    def covers(self, times: F64, gap: float) -> NDArray[np.bool_]:
        """Which of `times` (t,) have samples at most `gap` [s] before and after them (or right there)."""
        if not len(self):
            return np.zeros(len(times), dtype=bool)
        before = np.searchsorted(self.stamps, times + EPSILON, side="right") - 1
        after = np.searchsorted(self.stamps, times - EPSILON, side="left")
        inside = (before >= 0) & (after < len(self))
        earlier, later = self.stamps[before.clip(min=0)], self.stamps[after.clip(max=len(self) - 1)]
        return np.asarray(inside & (times - earlier <= gap) & (later - times <= gap))

    def at(self, times: F64) -> F64:
        """Values (t, k) at `times` (t,): linear between samples, held outside them."""
        columns = [np.interp(times, self.stamps, column) for column in self.values.T]
        return np.stack(columns, axis=-1)

    def latest(self, times: F64) -> F64:
        """Values (t, k) of the latest sample at or before each of `times` (t,); the first one before it."""
        index = np.searchsorted(self.stamps, times + EPSILON, side="right") - 1
        return np.asarray(self.values[index.clip(min=0)])
