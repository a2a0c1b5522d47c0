"""Goals for recorded moments: where the moved point came to be, or the mark if it got there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.config import TaskConfig
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.settings import PolicySettings
from loopwm_ros.training.windows import Indices
from loopwm_ros.types import F32

LEAP = 3.0  # times the tool's top speed: nothing that is pushed moves so fast, but what is moved by hand does


@dataclass(frozen=True)
class Goals:
    """Rows are moments."""

    way: F32  # that the moved point goes in the next transition [m], (moments,)
    reached: F32  # where it is after each span, (moments, spans, 3) [m]
    pairs: Indices  # (row, span) of those that are goals in hindsight, (pairs, 2)
    marks: F32  # where the task's mark asks for it, (moments, 3) [m]
    marked: Indices  # rows of episodes that end there, (rows,)


def find_goals(
    data: Dataset, spec: ModelSpec, task: TaskConfig, settings: PolicySettings, frames: Indices
) -> Goals:
    """Goals of the moments at some frames."""
    moved, known = _point(data, spec.columns(task.moved))
    marks, marked = _point(data, spec.columns(task.goal))
    marks = marks + np.asarray(task.goal_offset, dtype=np.float32)
    stride = data.stride_frames(spec.model_period)
    last = data.offsets[np.searchsorted(data.offsets, frames, side="right")] - 1
    spans = np.arange(settings.hindsight[0], settings.hindsight[1] + 1)
    later = frames[:, None] + stride * spans
    goals = np.minimum(later, last[:, None])
    hands = _leaps(data, moved, spec.max_tool_speed)
    usable = (later <= last[:, None]) & (hands[goals] == hands[frames][:, None])
    usable &= known[goals] & known[frames][:, None]
    axes = spec.action_dim
    far = _distance(moved[goals], moved[frames][:, None], axes) > settings.least_way
    arrived = known & marked & (_distance(moved, marks, axes) < settings.arrived)
    way = _distance(moved[np.minimum(frames + stride, last)], moved[frames], axes)
    return Goals(
        way,
        moved[goals],
        np.argwhere(usable & far),
        marks[frames],
        np.flatnonzero(arrived[last] & marked[frames]),
    )


def _point(data: Dataset, columns: list[int]) -> tuple[F32, NDArray[np.bool_]]:
    """A labelled point (frames, 3) [m], and where it is known (frames,)."""
    return np.asarray(data.labels[:, columns]), np.asarray(data.label_mask[:, columns].all(1))


def _distance(a: F32, b: F32, axes: int) -> F32:
    """Between points (..., 3), along the first axes only: a plane has no height."""
    return np.asarray(np.linalg.norm((a - b)[..., :axes], axis=-1))


def _leaps(data: Dataset, moved: F32, speed: float) -> Indices:
    """How often the point leapt until each frame, (frames,)."""
    ways = np.linalg.norm(np.diff(moved, axis=0, prepend=moved[:1]), axis=1)
    return np.cumsum(ways > LEAP * speed * data.frame_period)
