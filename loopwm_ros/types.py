"""Frozen data types shared by every layer.

Times are seconds as float; positions are metres or radians; frames are named in the field.
Arrays are C-contiguous NumPy arrays that the receiver must not write to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class JointState:
    """Measured joints, in the arm file's joint order."""

    stamp: float
    position: F64  # [rad], (n,)
    velocity: F64  # [rad/s], (n,)


@dataclass(frozen=True)
class CameraFrame:
    """One colour image, stamped at capture."""

    stamp: float
    rgb: U8  # (height, width, 3)


@dataclass(frozen=True)
class Observation:
    """A camera frame with the joints interpolated to its stamp."""

    stamp: float
    rgb: U8  # (height, width, 3)
    joints: JointState


@dataclass(frozen=True)
class JointTrajectory:
    """Joint references over time; the last point has zero velocity (the stop tail)."""

    stamp: float  # time of the first point [s]
    offsets: F64  # time of each point after `stamp` [s], (m,), increasing from 0
    positions: F64  # [rad], (m, n)
    velocities: F64  # [rad/s], (m, n)


@dataclass(frozen=True)
class PointPaths:
    """Where named points are over time: imagined, or seen at one moment."""

    stamp: float  # [s]
    offsets: F64  # times after `stamp` [s], (m,), increasing
    points: Mapping[str, F64]  # by name, base frame [m], (m, 3)


@dataclass(frozen=True)
class Encoding:
    """What the encoder makes of one observation."""

    tokens: F32  # e_k, (tokens, width)
    reading: F32  # task quantities in physical units, (quantities,)
    std: F32  # the encoder's own 1-sigma estimate of each, (quantities,)


@dataclass(frozen=True)
class Rollout:
    """Read-outs of imagined futures; no state leaves the world model.

    `readouts[c, s]` holds the task quantities [m] of candidate `c` after `steps[s]` actions.
    """

    steps: tuple[int, ...]  # 1-based, last one = horizon
    readouts: F32  # (candidates, len(steps), quantities)
    reward: F32  # predicted reward at the horizon, (candidates,)
    loops: NDArray[np.int64]  # loops[i] = transitions that used exactly i iterations, (max_loops + 1,)
    completed: bool  # False when the deadline ended the rollout before the horizon


@dataclass(frozen=True)
class Plan:
    """The planner's answer."""

    actions: F32  # normalised actions in [-1, 1], (horizon, action_dim)
    cost: float
    candidates: int  # scored in the last finished refinement
    refinements: int  # finished; 0 means the warm start was returned unscored
    loops: NDArray[np.int64] = field(repr=False)  # of the finished refinements' rollouts, (max_loops + 1,)
    imagined: F32 = field(repr=False)  # mean of the candidates' read-outs, weighted as `actions`, (steps, q)
