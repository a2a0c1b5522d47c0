"""Joint-state and action pre-processing, the only copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.types import F32, F64, JointState


def proprio_vector(joints: JointState, tool: F64) -> F64:
    """Joint positions, velocities and the tool position (3,) side by side, not normalised."""
    return np.concatenate([joints.position, joints.velocity, tool])


def normalise_proprio(spec: ModelSpec, proprio: F64) -> F32:
    """(..., 2n + 3) to zero mean and unit variance."""
    mean, std = np.asarray(spec.proprio_mean), np.asarray(spec.proprio_std)
    return np.asarray((proprio - mean) / std, dtype=np.float32)


def action_from_displacement(
    displacement: F64, action_dim: int, max_tool_speed: float, model_period: float
) -> F32:
    """Commanded tool displacement over one transition [m], (..., 3), to an action (..., action_dim).

    The top speed is 1.0. Actions of 2 components are those in a plane, x and y.
    """
    return np.asarray(displacement[..., :action_dim] / (max_tool_speed * model_period), dtype=np.float32)


def spans(spec: ModelSpec, count: int) -> list[slice]:
    """Which of `count` actions each imagined transition spans: `chunk` each, the last one what is left."""
    return [slice(begin, min(begin + spec.chunk, count)) for begin in range(0, count, spec.chunk)]


def chunked(spec: ModelSpec, actions: F32) -> F32:
    """What the prelude is told (..., action_input) of a transition's actions (..., 1 to chunk, action_dim).

    Where a transition may span several: side by side, zeros after the last, then the share of the chunk that
    they fill.
    """
    if spec.chunk == 1:
        return np.ascontiguousarray(actions[..., 0, :], dtype=np.float32)
    *batch, count, size = actions.shape
    told = np.zeros((*batch, spec.action_input), dtype=np.float32)
    told[..., : count * size] = actions.reshape(*batch, count * size)
    told[..., -1] = count / spec.chunk
    return told


def told_actions(spec: ModelSpec, told: F32) -> NDArray[np.int64]:
    """How many actions `chunked` has told of, (batch,), of (batch, action_input)."""
    if spec.chunk == 1:
        return np.ones(len(told), dtype=np.int64)
    return np.rint(told[:, -1] * spec.chunk).astype(np.int64).clip(1, spec.chunk)


def part_between(spec: ModelSpec, told: F32, begin: NDArray[np.int64], end: NDArray[np.int64]) -> F32:
    """What the prelude is told of actions `begin` to `end` (batch,) of all (batch, action_input)."""
    part, size = np.zeros_like(told), spec.action_dim
    if (begin == begin[0]).all() and (end == end[0]).all():  # as nearly always, and quicker
        first, last = int(begin[0]), int(end[0])
        part[:, : (last - first) * size] = told[:, first * size : last * size]
    else:
        rows, at = np.arange(len(told))[:, None], begin[:, None] + np.arange(spec.chunk)
        actions = told[:, :-1].reshape(len(told), spec.chunk, size)
        taken = actions[rows, np.minimum(at, spec.chunk - 1)] * (at < end[:, None])[..., None]
        part[:, :-1] = taken.reshape(len(told), -1)
    part[:, -1] = (end - begin) / spec.chunk
    return part


def tool_velocity(spec: ModelSpec, action: F32) -> F64:
    """Action (..., action_dim) to tool velocity in the base frame [m/s], (..., 3)."""
    velocity: F64 = np.zeros((*action.shape[:-1], 3))
    velocity[..., : spec.action_dim] = np.asarray(action, dtype=np.float64) * spec.max_tool_speed
    return velocity
