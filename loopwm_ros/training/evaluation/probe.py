"""Windows of one part of the test data: a few observed steps, then as many as the episode has left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.data.dataset import UNEVEN, Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.windows import Indices, spaced
from loopwm_ros.types import F32

CONTEXT = 8  # observed steps
SPACING = 10  # base steps between the starts of windows


@dataclass(frozen=True)
class Probe:
    """Windows, the longest first. Step s is frame s of a window; after `lengths` steps, rows mean nothing."""

    name: str  # of the part
    frames: Indices  # in the data set, (windows, steps)
    lengths: Indices  # steps that there are, (windows,)
    episode: Indices  # (windows,)
    actions: F32  # action s led to frame s; the first is zero, (windows, steps, action_dim)
    quantities: F32  # labels [m], (windows, steps, quantities)
    known: NDArray[np.bool_]  # which of them there are
    joints: F32  # positions [rad], (windows, steps, n)
    continuation: F32  # 1 while the episode goes on, (windows, steps)
    continuation_known: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.frames)

    def reaching(self, horizon: int) -> int:
        """How many windows, the first ones, have `horizon` steps after the observed ones."""
        return int((self.lengths >= CONTEXT + horizon).sum())


def probe(name: str, data: Dataset, spec: ModelSpec, horizon: int, most: int, least: int = 1) -> Probe:
    """At most `most` windows of up to `horizon` imagined steps, and at least `least` of them.

    Raises:
        ConfigError: no episode is long enough.
        MismatchError: the model's period is no multiple of the frames'.
    """
    stride = data.stride_frames(spec.model_period)
    steps = CONTEXT + horizon
    rows = [row for e in range(data.episodes) for row in _starts(data, e, stride, steps, CONTEXT + least)]
    if not rows:
        raise ConfigError(
            f"no episode of '{name}' has {CONTEXT + least} steps of {spec.model_period:g} s: "
            "collect longer ones"
        )
    episode, start, lengths = spaced(np.array(rows, dtype=np.int64), most).T
    order = np.argsort(-lengths, kind="stable")
    episode, start, lengths = episode[order], start[order], lengths[order]
    frames = start[:, None] + stride * np.minimum(np.arange(steps), lengths[:, None] - 1)
    actions = np.zeros((*frames.shape, spec.action_dim), dtype=np.float32)
    actions[:, 1:] = data.actions(frames, spec)
    return Probe(
        name,
        frames,
        lengths,
        episode,
        actions,
        np.asarray(data.labels[frames]),
        np.asarray(data.label_mask[frames]),
        np.asarray(data.proprio[frames][..., : len(spec.joints)]),
        np.asarray(data.continuation[frames]),
        np.asarray(data.continuation_mask[frames]),
    )


def _starts(data: Dataset, episode: int, stride: int, steps: int, least: int) -> list[tuple[int, int, int]]:
    """Episode, first frame and length of windows that begin every `SPACING` steps; none spans a gap."""
    grid = np.arange(data.offsets[episode], data.offsets[episode + 1], stride)
    period = data.frame_period
    gaps = np.abs(np.diff(data.stamps[grid]) - stride * period) > UNEVEN * period
    ends = np.append(np.flatnonzero(gaps) + 1, len(grid))  # of the even runs
    rows = []
    for first in range(0, len(grid), SPACING):
        length = min(steps, int(ends[ends > first][0]) - first)
        if length >= least:
            rows.append((episode, int(grid[first]), length))
    return rows
