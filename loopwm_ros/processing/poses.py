"""Rigid transforms: 4x4 matrices, and as settings have them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from loopwm_ros.config.calibration import Transform
from loopwm_ros.types import F64


def matrix(transform: Transform) -> F64:
    """4x4 of the child in its parent; the quaternion need not have length 1."""
    return posed(Rotation.from_quat(transform.rotation).as_matrix(), np.asarray(transform.translation))


def transform(pose: F64) -> Transform:
    """Settings of a 4x4 pose; w of the quaternion is not negative."""
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat(canonical=True).tolist()
    a, b, c = pose[:3, 3].tolist()
    return Transform(translation=(a, b, c), rotation=(x, y, z, w))


def posed(rotation: F64, translation: F64) -> F64:
    """4x4 of rotations (..., 3, 3) and translations (..., 3) [m]."""
    pose = np.zeros((*rotation.shape[:-2], 4, 4))
    pose[..., :3, :3], pose[..., :3, 3], pose[..., 3, 3] = rotation, translation, 1.0
    return pose


def inverse(pose: F64) -> F64:
    """Of poses (..., 4, 4)."""
    back = np.swapaxes(pose[..., :3, :3], -1, -2)
    return posed(back, -np.einsum("...ij,...j->...i", back, pose[..., :3, 3]))


def moved(pose: F64, turn: F64, shift: F64) -> F64:
    """A pose (4, 4) turned in place by a rotation vector (3,) [rad] and shifted (3,) [m], in its parent."""
    turned: F64 = Rotation.from_rotvec(turn).as_matrix() @ pose[:3, :3]
    return posed(turned, pose[:3, 3] + shift)


def apart(first: F64, second: F64) -> tuple[F64, F64]:
    """What `moved` needs to take the first pose (4, 4) to the second: turn (3,) [rad], shift (3,) [m]."""
    turn = Rotation.from_matrix(second[:3, :3] @ first[:3, :3].T).as_rotvec()
    return turn, second[:3, 3] - first[:3, 3]


def cross_matrix(vectors: F64) -> F64:
    """The matrices (..., 3, 3) that multiply like a cross product with vectors (..., 3)."""
    x, y, z = np.moveaxis(np.asarray(vectors), -1, 0)
    zero = np.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return np.stack(rows, axis=-1).reshape(*x.shape, 3, 3)
