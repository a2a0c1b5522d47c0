"""Joint trajectories: sampling, and the stop tail that every plan carries."""

from __future__ import annotations

import numpy as np

from loopwm_ros.types import F64, JointTrajectory


def sample(trajectory: JointTrajectory, now: float) -> tuple[F64, F64]:
    """Position and velocity (n,) at `now` [s]: linear between points, held before and after."""
    at = now - trajectory.stamp
    offsets = trajectory.offsets
    if at <= 0.0:
        return trajectory.positions[0], trajectory.velocities[0]
    if at >= offsets[-1]:
        return trajectory.positions[-1], np.zeros_like(trajectory.velocities[-1])
    i = int(np.searchsorted(offsets, at, side="right"))
    share = (at - offsets[i - 1]) / (offsets[i] - offsets[i - 1])
    position = trajectory.positions[i - 1] + share * (trajectory.positions[i] - trajectory.positions[i - 1])
    velocity = trajectory.velocities[i - 1] + share * (trajectory.velocities[i] - trajectory.velocities[i - 1])
    return position, velocity


def with_stop_tail(
    stamp: float, offsets: F64, positions: F64, velocities: F64, acceleration: F64, step: float
) -> JointTrajectory:
    """Append a straight-line stop: all joints slow down together, at most at `acceleration` (n,).

    Args:
        stamp: time of the first point [s].
        offsets, positions, velocities: the motion, (m,), (m, n), (m, n).
        acceleration: limit per joint [rad/s^2].
        step: spacing of the tail's points [s].
    """
    speed = velocities[-1]
    duration = float(np.max(np.abs(speed) / acceleration))
    count = max(1, int(np.ceil(duration / step)))
    t = np.linspace(0.0, max(duration, 1e-3), count + 1)[1:, None]
    left = 1.0 - t / t[-1]
    tail_positions = positions[-1] + speed * (t - t * t / (2.0 * t[-1]))
    return JointTrajectory(
        stamp,
        np.concatenate([offsets, offsets[-1] + t[:, 0]]),
        np.concatenate([positions, tail_positions]),
        np.concatenate([velocities, speed * left]),
    )


def hold(stamp: float, position: F64) -> JointTrajectory:
    """Stay at `position` (n,)."""
    still = np.zeros((1, len(position)))
    return JointTrajectory(stamp, np.zeros(1), position[None].copy(), still)
