"""Joint-state and action pre-processing, the only copy."""

from __future__ import annotations

import numpy as np

from loopwm_ros.bundle import ModelSpec
from loopwm_ros.types import F32, F64, JointState


def proprio_vector(joints: JointState, tool: F64) -> F64:
    """Joint positions, velocities and the tool position (3,) side by side, not normalised."""
    return np.concatenate([joints.position, joints.velocity, tool])


def normalise_proprio(spec: ModelSpec, proprio: F64) -> F32:
    """(..., 2n + 3) to zero mean and unit variance."""
    mean, std = np.asarray(spec.proprio_mean), np.asarray(spec.proprio_std)
    return np.asarray((proprio - mean) / std, dtype=np.float32)


def action_from_displacement(displacement: F64, max_tool_speed: float, model_period: float) -> F32:
    """Commanded tool displacement over one transition [m], (..., 3), to an action; the top speed is 1.0."""
    return np.asarray(displacement / (max_tool_speed * model_period), dtype=np.float32)


def tool_velocity(spec: ModelSpec, action: F32) -> F64:
    """Action (..., 3) to tool velocity in the base frame [m/s]."""
    return np.asarray(action, dtype=np.float64) * spec.max_tool_speed
