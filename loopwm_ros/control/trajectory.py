"""Joint trajectories: sampling, and the stop tail that every plan carries."""

from __future__ import annotations

import numpy as np

from loopwm_ros.control.jerk_limited import Motion
from loopwm_ros.types import F64, JointTrajectory

RESYNC = 0.02  # a reference further than this from what was really sent starts from there [rad]


def sample(trajectory: JointTrajectory, now: float) -> tuple[F64, F64]:
    """Position and velocity (n,) at `now` [s]: cubic Hermite between points.

    Before its start it gives the first point, after its end the last one at rest.
    """
    at = now - trajectory.stamp
    offsets = trajectory.offsets
    if len(offsets) == 1 or at >= offsets[-1]:
        return trajectory.positions[-1], np.zeros_like(trajectory.velocities[-1])
    if at <= offsets[0]:
        return trajectory.positions[0], trajectory.velocities[0]
    i, span, s = _segment(offsets, at)
    p0, p1 = trajectory.positions[i - 1], trajectory.positions[i]
    v0, v1 = trajectory.velocities[i - 1] * span, trajectory.velocities[i] * span
    bend = 2.0 * (p0 - p1) + v0 + v1
    sag = 3.0 * (p1 - p0) - 2.0 * v0 - v1
    position = p0 + s * (v0 + s * (sag + s * bend))
    velocity = (v0 + s * (2.0 * sag + 3.0 * s * bend)) / span
    return position, velocity


def _segment(offsets: F64, at: float) -> tuple[int, float, float]:
    """Number of the point after `at`, time between it and the one before [s], and the share that is past."""
    i = int(np.searchsorted(offsets, at, side="right"))
    span = offsets[i] - offsets[i - 1]
    return i, span, (at - offsets[i - 1]) / span


def sample_motion(trajectory: JointTrajectory, now: float) -> Motion:
    """As `sample`, with the acceleration."""
    at, offsets = now - trajectory.stamp, trajectory.offsets
    position, velocity = sample(trajectory, now)
    if len(offsets) == 1 or not offsets[0] <= at < offsets[-1]:
        return Motion(position, velocity, np.zeros_like(position))
    i, span, s = _segment(offsets, at)
    left, right = trajectory.velocities[i - 1], trajectory.velocities[i]
    slope = (trajectory.positions[i] - trajectory.positions[i - 1]) / span
    bend = 2.0 * (3.0 * slope - 2.0 * left - right) + 6.0 * s * (left + right - 2.0 * slope)
    return Motion(position, velocity, bend / span)


def deviation(trajectory: JointTrajectory, sent: tuple[float, F64]) -> F64:
    """How far the reference really sent, (time [s], joints (n,)), is from the trajectory then, (n,) [rad].

    Small differences are the filter's lag and count as zero.
    """
    error = np.asarray(sent[1] - sample(trajectory, sent[0])[0])
    return error if np.max(np.abs(error)) > RESYNC else np.zeros_like(error)


def with_stop_tail(
    stamp: float, offsets: F64, positions: F64, velocities: F64, acceleration: F64, step: float
) -> JointTrajectory:
    """Append a straight-line stop: all joints slow down together, at most at `acceleration` (n,) [rad/s^2].

    The motion starts at `stamp` [s]: `offsets` (m,), `positions` (m, n), `velocities` (m, n). The tail's
    points are at most `step` [s] apart.
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


def approached(trajectory: JointTrajectory, now: float, position: F64, velocity: F64) -> JointTrajectory:
    """The trajectory, led in from the reference (n,) at `now` [s] if its first point lies ahead."""
    offsets = trajectory.stamp - now + trajectory.offsets
    if offsets[0] <= 0.0:
        return trajectory
    return JointTrajectory(
        now,
        np.concatenate([np.zeros(1), offsets]),
        np.concatenate([position[None], trajectory.positions]),
        np.concatenate([velocity[None], trajectory.velocities]),
    )


def hold(stamp: float, position: F64) -> JointTrajectory:
    """Stay at `position` (n,)."""
    still = np.zeros((1, len(position)))
    return JointTrajectory(stamp, np.zeros(1), position[None].copy(), still)
