"""A fisheye's lens fitted to views: OpenCV's projection and poses, our adjustment.

`cv2.fisheye.calibrate` gives up, or ends in NaN, where corners are near the rim of the picture: it lays them
out on a plane, which no ray at 90 degrees meets. Here only the first guess is made so, and without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from loopwm_ros.types import F64

STARTS = (
    0.6,
    0.8,
    1.0,
    1.3,
    1.7,
    2.5,
)  # focal lengths to try, of the longer side over pi, which shows half a turn
WIDEST = 8.0  # of a first guess's ray, over its depth: 83 degrees
FEWEST_CORNERS = 6  # in a view that a first guess is made from
STEPS = 200
SMALLEST, LARGEST = 1e-9, 1e9  # damping
DONE = 1e-12  # relative gain that is none


@dataclass(frozen=True)
class _State:
    """Lens (fx, fy, cx, cy, k1 to k4) and the pose of each view (rotation vector, translation)."""

    lens: F64  # (8,)
    poses: F64  # (views, 6)


@dataclass(frozen=True)
class _Sums:
    """Normal equations, one block a view."""

    cost: float
    lens: F64  # (8, 8)
    lens_gradient: F64  # (8,)
    cross: F64  # (views, 8, 6)
    poses: F64  # (views, 6, 6)
    poses_gradient: F64  # (views, 6)


def fit_fisheye(
    points: Sequence[F64], pixels: Sequence[F64], size: tuple[int, int]
) -> tuple[F64, F64, F64, F64] | None:
    """K (3, 3), k1 to k4, rotation vectors (views, 3) and translations; None where nothing fits.

    Args:
        points: corners on the board in each view, (m, 3) [m].
        pixels: where they are, (m, 2) [px].
        size: of the pictures [px].
    """
    starts = [_start(points, pixels, size, max(size) / np.pi * share) for share in STARTS]
    guesses = [(sums.cost, state) for state in starts if (sums := _sums(state, points, pixels))]
    if not guesses:
        return None
    state = _adjusted(min(guesses, key=lambda guess: guess[0])[1], points, pixels)
    return _matrix(state.lens), state.lens[4:], state.poses[:, :3], state.poses[:, 3:]


def _matrix(lens: F64) -> F64:
    return np.array([[lens[0], 0.0, lens[2]], [0.0, lens[1], lens[3]], [0.0, 0.0, 1.0]])


def _start(points: Sequence[F64], pixels: Sequence[F64], size: tuple[int, int], focal: float) -> _State:
    """An ideal fisheye of that focal length, and the poses that go with it."""
    lens = np.array([focal, focal, (size[0] - 1) / 2, (size[1] - 1) / 2, 0.0, 0.0, 0.0, 0.0])
    poses = []
    for flat, seen in zip(points, pixels, strict=True):
        plane = cv2.fisheye.undistortPoints(seen.reshape(-1, 1, 2), _matrix(lens), lens[4:]).reshape(-1, 2)
        near = np.abs(plane).max(axis=1) < WIDEST
        poses.append(_pose(flat, flat[near], plane[near]))
    return _State(lens, np.array(poses))


def _pose(flat: F64, near: F64, plane: F64) -> F64:
    """Of a view; straight ahead where it fits none, for later it shall stand out, not end the fit."""
    if len(near) >= FEWEST_CORNERS:
        found, turn, move = cv2.solvePnP(near, plane, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
        depths = flat @ cv2.Rodrigues(turn)[0][2] + move[2] if found else np.zeros(1)
        if depths.min() > 0:
            return np.concatenate([turn.ravel(), move.ravel()])
    return np.array([0.0, 0.0, 0.0, *-flat[:, :2].mean(axis=0), float(np.ptp(flat[:, 0]))])


def _sums(state: _State, points: Sequence[F64], pixels: Sequence[F64]) -> _Sums | None:
    """None where a corner would be behind the camera, or a number overflows."""
    count = len(points)
    lens, gradient, cost = np.zeros((8, 8)), np.zeros(8), 0.0
    cross, poses, poses_gradient = np.zeros((count, 8, 6)), np.zeros((count, 6, 6)), np.zeros((count, 6))
    for k, (flat, seen, pose) in enumerate(zip(points, pixels, state.poses, strict=True)):
        depth = flat @ cv2.Rodrigues(pose[:3])[0][2] + pose[5]
        if not depth.min() > 0:
            return None
        made, jacobian = cv2.fisheye.projectPoints(
            flat.reshape(-1, 1, 3), pose[:3], pose[3:], _matrix(state.lens), state.lens[4:]
        )
        left, inner, outer = (seen - made.reshape(-1, 2)).ravel(), jacobian[:, :8], jacobian[:, 8:14]
        cost += float(left @ left)
        lens += inner.T @ inner
        gradient += inner.T @ left
        cross[k], poses[k], poses_gradient[k] = inner.T @ outer, outer.T @ outer, outer.T @ left
    return _Sums(cost, lens, gradient, cross, poses, poses_gradient) if np.isfinite(cost) else None


def _adjusted(state: _State, points: Sequence[F64], pixels: Sequence[F64]) -> _State:
    """By Levenberg and Marquardt; poses are eliminated, for each touches one view only."""
    sums = _sums(state, points, pixels)
    damping = 1e-3
    for _ in range(STEPS):
        if sums is None or damping > LARGEST:
            break
        tried = _stepped(state, sums, damping)
        after = None if tried is None else _sums(tried, points, pixels)
        if tried is None or after is None or after.cost > sums.cost:
            damping *= 10.0
            continue
        gain = sums.cost - after.cost
        state, sums, damping = tried, after, max(SMALLEST, damping / 10.0)
        if gain <= DONE * sums.cost:
            break
    return state


def _stepped(state: _State, sums: _Sums, damping: float) -> _State | None:
    diagonal = np.arange(6)
    poses, lens = sums.poses.copy(), sums.lens + damping * np.diag(np.diag(sums.lens))
    poses[:, diagonal, diagonal] *= 1.0 + damping
    try:
        through = np.linalg.solve(poses, np.swapaxes(sums.cross, 1, 2))  # (views, 6, 8)
        alone = np.linalg.solve(poses, sums.poses_gradient[..., None])[..., 0]  # (views, 6)
        reduced = lens - np.einsum("vij,vjk->ik", sums.cross, through)
        step = np.linalg.solve(reduced, sums.lens_gradient - np.einsum("vij,vj->i", sums.cross, alone))
    except np.linalg.LinAlgError:
        return None
    moved = state.poses + alone - np.einsum("vij,j->vi", through, step)
    return _State(state.lens + step, moved) if state.lens[0] + step[0] > 0 else None
