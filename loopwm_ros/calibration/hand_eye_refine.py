"""Camera, board and joint offsets together, by the reprojection error of all corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from loopwm_ros.calibration.hand_eye_model import Expected, SightModel
from loopwm_ros.calibration.joint_noise import Noise, Whitening, estimate_noise
from loopwm_ros.processing.poses import cross_matrix, moved
from loopwm_ros.types import F64

FIRST = Noise(pixels=1.0, joints=1e-3)  # taken for the first fit, which must stand bad samples
ROUNDS = 2  # of fitting and estimating the noise anew
OFFSET = 0.01  # 1-sigma of joint offsets before anything is measured [rad]
CONFOUNDED = 0.1  # an offset of which no more is known than this 1-sigma from sights alone is held at 0 [rad]
_POSES = 12  # parameters of camera and board
_SMALL = 1e-8


@dataclass(frozen=True)
class Fit:
    """What fits best, and how well."""

    camera: F64  # in its parent (4, 4)
    board: F64  # in its own (4, 4)
    offsets: F64  # of the joints (n,) [rad]
    free: tuple[int, ...]  # joints whose offsets were fitted
    expected: Expected  # residuals, and their derivatives
    noise: Noise
    covariance: F64  # of camera and board, turn and shift each, then the free offsets, (12 + k, 12 + k)

    @property
    def std(self) -> F64:
        """1-sigma of each parameter (12 + k,) [rad], [m]."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def first_fit(model: SightModel, camera: F64, board: F64, with_offsets: bool) -> Fit:
    """From a start, with a loss that bad samples hardly pull at."""
    still = np.zeros(model.joints.shape[1])
    fit = _solve(model, (camera, board, still), (), FIRST, "cauchy")
    free = observable(model, fit, FIRST) if with_offsets else ()
    return _solve(model, (fit.camera, fit.board, still), free, FIRST, "cauchy") if free else fit


def refine(model: SightModel, start: Fit, with_offsets: bool) -> Fit:
    """Fit by maximum likelihood, the noise of corners and of joints being estimated, too.

    Offsets that the sights say nothing about are held at 0, others expected to be within OFFSET or so.
    """
    fit = start
    for _ in range(ROUNDS):
        noise = estimate_noise(fit.expected.residuals, _design(fit.expected, fit.free), *_joints(model, fit))
        free = observable(model, fit, noise) if with_offsets else ()
        offsets = np.where(np.isin(np.arange(len(fit.offsets)), free), fit.offsets, 0.0)
        fit = _solve(model, (fit.camera, fit.board, offsets), free, noise, "huber")
    noise = estimate_noise(fit.expected.residuals, _design(fit.expected, fit.free), *_joints(model, fit))
    return _solve(model, (fit.camera, fit.board, fit.offsets), fit.free, noise, "huber")


def observable(model: SightModel, fit: Fit, noise: Noise) -> tuple[int, ...]:
    """Joints whose offsets the sights tell apart from camera, board and one another.

    While there is a direction of all offsets that is less sure than CONFOUNDED, the joint with the largest
    part in the least sure one is taken out.
    """
    whiten = Whitening(*_joints(model, fit), noise)
    poses = whiten(_design(fit.expected, ()))
    basis, _ = np.linalg.qr(poses / np.linalg.norm(poses, axis=0))
    white = whiten(fit.expected.joints)
    apart = white - basis @ (basis.T @ white)
    free = list(range(apart.shape[1]))
    while free:
        _, sizes, directions = np.linalg.svd(apart[:, free], full_matrices=False)
        if sizes[-1] * CONFOUNDED >= 1.0:
            break
        free.pop(int(np.argmax(np.abs(directions[-1]))))
    return tuple(free)


def surprise(model: SightModel, fit: Fit) -> F64:
    """Of each sight (m,): chi-squared of its joints' errors, of as many degrees as there are joints."""
    return Whitening(*_joints(model, fit), fit.noise).surprise(fit.expected.residuals)


def with_focal(model: SightModel, fit: Fit, std: float) -> Fit:
    """The fit, its covariance counting in that focal lengths are known to a 1-sigma of `std`, as a share."""
    whiten = Whitening(*_joints(model, fit), fit.noise)
    by_focal = whiten(model.by_focal(fit.camera, fit.board, fit.offsets))
    pull = std * (fit.covariance @ whiten(_design(fit.expected, fit.free)).T @ by_focal)
    return replace(fit, covariance=fit.covariance + np.outer(pull, pull))


def design_at(expected: Expected, x: F64, free: Sequence[int] = ()) -> F64:
    """Derivatives (2 m, 12 + k) by parameters x (12 + k,), by which camera and board were moved."""
    design = _design(expected, free)
    for turn in (slice(0, 3), slice(6, 9)):
        design[:, turn] = design[:, turn] @ _left_jacobian(x[turn])
    return design


def _solve(
    model: SightModel, start: tuple[F64, F64, F64], free: Sequence[int], noise: Noise, loss: str
) -> Fit:
    camera, board, offsets = start
    chosen = list(free)
    whiten = Whitening(model.expected(camera, board, offsets).joints, model.rows, noise)

    prior = np.pad(np.eye(len(chosen)) / OFFSET, ((0, 0), (_POSES, 0)))

    def placed(x: F64) -> tuple[F64, F64, F64]:
        added = offsets.copy()
        added[chosen] += x[_POSES:]
        return moved(camera, x[0:3], x[3:6]), moved(board, x[6:9], x[9:12]), added

    def jacobian(x: F64) -> F64:
        return np.vstack([whiten(design_at(model.expected(*placed(x)), x, free)), prior])

    def residuals(x: F64) -> F64:
        where = placed(x)
        return np.concatenate([whiten(model.residuals(*where)), where[2][chosen] / OFFSET])

    found = least_squares(
        residuals,
        np.zeros(_POSES + len(chosen)),
        jacobian,
        loss=loss,
        f_scale=3.0 if loss == "huber" else 1.0,
        x_scale="jac",
    )
    expected = model.expected(*placed(found.x))
    white = np.vstack([whiten(_design(expected, free)), prior])
    return Fit(*placed(found.x), tuple(free), expected, noise, np.linalg.pinv(white.T @ white))


def _design(expected: Expected, free: Sequence[int]) -> F64:
    return np.column_stack([expected.camera, expected.board, expected.joints[:, list(free)]])


def _joints(model: SightModel, fit: Fit) -> tuple[F64, list[slice]]:
    return fit.expected.joints, model.rows


def _left_jacobian(turn: F64) -> F64:
    """The turn in place that a small change of a rotation vector (3,) makes, per change, (3, 3)."""
    angle = float(np.linalg.norm(turn))
    cross = cross_matrix(turn)
    if angle < _SMALL:
        first: F64 = np.eye(3) + cross / 2.0
        return first
    second: F64 = (1.0 - np.cos(angle)) / angle**2 * cross
    third: F64 = (angle - np.sin(angle)) / angle**3 * (cross @ cross)
    return np.eye(3) + second + third
