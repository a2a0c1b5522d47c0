"""When an arm stands still, so that a picture and its joints belong together whatever their clocks say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loopwm_ros.types import F64

AROUND = 0.25  # [s] of standstill before and after a picture: more than clocks may differ by
LONGEST = 0.1  # [s] between joint states
STILL = 3e-3  # [rad] that a joint may move in it: sensors' noise, and a controller at rest


def still_joints(stamp: float, stamps: F64, positions: F64) -> F64 | None:
    """Mean joints (n,) [rad] around a picture's stamp, where the arm stands still; else None.

    Args:
        stamp: of the picture [s].
        stamps: of measured joints [s], (m,), increasing.
        positions: of them [rad], (m, n).
    """
    first, last = np.searchsorted(stamps, (stamp - AROUND, stamp + AROUND))
    if first == 0 or last == len(stamps) or last - first < 2:
        return None  # nothing is known of a part of it
    if np.diff(stamps[first - 1 : last + 1]).max() > LONGEST:
        return None
    near = positions[first:last]
    return np.asarray(near.mean(axis=0)) if np.ptp(near, axis=0).max() <= STILL else None


def one_of_each(joints: Sequence[F64 | None]) -> list[int]:
    """The picture in the middle of each standstill, by index; `joints` are those of `still_joints`.

    A slow camera may show nothing of the motion between two of them.
    """
    groups: list[list[int]] = [[]]
    before: F64 | None = None
    for index, position in enumerate(joints):
        if position is None or (before is not None and np.abs(position - before).max() > STILL):
            groups.append([])
        if position is not None:
            groups[-1].append(index)
        before = position
    return [group[len(group) // 2] for group in groups if group]
