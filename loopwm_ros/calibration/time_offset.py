"""The camera's clock against the joints', from a recording in which the arm moves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from loopwm_ros.calibration.hand_eye_model import SightModel, board_in_camera, offsets
from loopwm_ros.calibration.hand_eye_refine import design_at
from loopwm_ros.calibration.joint_motion import LONGEST, JointMotion
from loopwm_ros.calibration.residuals import rms
from loopwm_ros.calibration.samples import Posed, Sample, pose_sample
from loopwm_ros.config import ArmConfig
from loopwm_ros.config.calibration import CameraModel, HandEye
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import CalibrationError, SensorError
from loopwm_ros.processing.lens import project_through
from loopwm_ros.processing.poses import matrix, moved
from loopwm_ros.types import F64

FARTHEST, STEP = 0.5, 0.005  # offsets looked for, and how finely at first [s]
FEWEST = 30  # frames
SLOWEST = 20.0  # of the board's motion in the picture, RMS [px/s]
ALIKE = 0.7  # correlation of the motion seen with that of the joints, at least
_NOISE = 0.3  # of a corner, to weigh it against what is known of the camera [px]
_EXACT = 1e-7  # least that an uncertainty is taken for [m], [rad]
UNSURE = 2e-3  # 1-sigma of the offset, at most [s]
_MORE = (
    "record 10 s or more in which at least two joints swing back and forth several times, a swing in 1 to "
    "2 s, with the board in view and sharp"
)


@dataclass(frozen=True)
class TimeOffset:
    """To add to the camera's stamps for the joints' clock."""

    offset: float  # [s]
    std: float  # 1-sigma [s]
    rms: float  # of a corner's distance to where it is expected [px]
    frames: int  # that were used


def estimate_time_offset(
    arm: ArmConfig,
    camera: CameraModel,
    hand_eye: HandEye,
    track: Sequence[Sample],
    joint_stamps: F64,
    joint_positions: F64,
) -> TimeOffset:
    """Offset of which `stamp of the joints' clock = stamp of the camera + offset` is true.

    Positions (m, n) [rad] at stamps (m,) [s] are as measured; the joints of the frames in `track` are not
    used. First the motion of the board in the picture is correlated with what the joints make of it; then
    the offset, with what small errors of the hand-eye calibration there are, is fitted to all corners.

    Raises:
        CalibrationError: too few frames, too little motion, or motions that have nothing in common.
    """
    motion = JointMotion(joint_stamps, joint_positions, offsets(arm, hand_eye))
    frames = _usable(camera, track)
    kinematics = Kinematics(arm)
    coarse = _coarse(kinematics, camera, hand_eye, frames, motion)
    stamps = np.array([stamp for stamp, _ in frames])
    near = motion.covers(stamps + coarse, 4 * STEP)
    kept = [frame for frame, good in zip(frames, near, strict=True) if good]
    _enough(kept, "with joint positions around them")
    return _fine(kinematics, camera, hand_eye, kept, motion, coarse)


def _usable(camera: CameraModel, track: Sequence[Sample]) -> list[tuple[float, Posed]]:
    frames = []
    for sample in sorted(track, key=lambda each: each.stamp):
        with suppress(SensorError):
            frames.append((sample.stamp, pose_sample(camera, sample)))
    _enough(frames, "that show the board")
    return frames


def _enough(frames: Sequence[object], what: str) -> None:
    if len(frames) < FEWEST:
        raise CalibrationError(f"{len(frames)} frames {what}; expected at least {FEWEST}: {_MORE}")


def _coarse(
    kinematics: Kinematics,
    camera: CameraModel,
    hand_eye: HandEye,
    frames: Sequence[tuple[float, Posed]],
    motion: JointMotion,
) -> float:
    """Offset at which the board's velocity in the picture correlates best with that of the joints [s]."""
    stamps = np.array([stamp for stamp, _ in frames])
    centre = np.mean([posed.sight.points.mean(axis=0) for _, posed in frames], axis=0)
    seen = _track(camera, [posed.board for _, posed in frames], centre)
    poses = [board_in_camera(kinematics, hand_eye, q) for q in motion.positions(motion.stamps)]
    moves = _track(camera, poses, centre)
    together = np.diff(stamps) < 2.0 * LONGEST

    def velocities(path: F64) -> F64:
        found: F64 = np.diff(path, axis=0) / np.diff(stamps)[:, None]
        return found

    seen_now = velocities(seen)
    speed = float(np.sqrt(np.mean(np.sum(seen_now[together] ** 2, axis=1)))) if together.any() else 0.0
    if speed < SLOWEST:
        raise CalibrationError(
            f"the board moves through the picture at {speed:.0f} px/s (RMS); expected at least {SLOWEST:g}: "
            f"{_MORE}"
        )
    lags = np.arange(-FARTHEST, FARTHEST + STEP / 2, STEP)
    alike, most = [], 0
    for lag in lags:
        path = np.column_stack([np.interp(stamps + lag, motion.stamps, moves[:, k]) for k in (0, 1)])
        inside = (stamps + lag >= motion.stamps[0]) & (stamps + lag <= motion.stamps[-1])
        usable = together & inside[1:] & inside[:-1]
        most = max(most, int(usable.sum()))
        enough = usable.sum() >= FEWEST // 2
        alike.append(_correlation(seen_now[usable], velocities(path)[usable]) if enough else 0.0)
    _enough(range(most), "with joint positions around them")
    best = int(np.argmax(alike))
    if alike[best] < ALIKE or best in (0, len(lags) - 1):
        raise CalibrationError(
            f"the board's motion in the picture and the joints' correlate by {alike[best]:.2f} at best, at "
            f"{1e3 * lags[best]:.0f} ms; expected at least {ALIKE:g}, at less than {1e3 * FARTHEST:.0f} ms: "
            f"check that they are of one recording and the hand-eye calibration is of this camera; {_MORE}"
        )
    return float(lags[best])


def _track(camera: CameraModel, poses: Sequence[F64], point: F64) -> F64:
    """A point of the board in pictures (k, 2) [px]; where it is behind the camera, as in the one before."""
    places = np.stack([pose[:3, :3] @ point + pose[:3, 3] for pose in poses])
    path = project_through(camera, places)
    good = np.isfinite(path).all(axis=1)
    if not good.any():
        raise CalibrationError("by the hand-eye calibration the board is never in front of the camera")
    there = np.flatnonzero(good)
    return np.column_stack([np.interp(np.arange(len(path)), there, path[there, k]) for k in (0, 1)])


def _correlation(first: F64, second: F64) -> float:
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.sum(first * second)) / size if size > 0 else 0.0


def _fine(
    kinematics: Kinematics,
    camera: CameraModel,
    hand_eye: HandEye,
    frames: Sequence[tuple[float, Posed]],
    motion: JointMotion,
    coarse: float,
) -> TimeOffset:
    """Fit the offset, the camera's pose within its uncertainty, and the board's."""
    stamps = np.array([stamp for stamp, _ in frames]) + coarse
    model = SightModel(kinematics, camera, hand_eye.setup, [posed.sight for _, posed in frames])
    place = matrix(hand_eye.camera), matrix(hand_eye.board)
    known = np.maximum([*hand_eye.rotation_std, *hand_eye.translation_std], _EXACT)
    frame = np.repeat(np.arange(len(frames)), [rows.stop - rows.start for rows in model.rows])

    def at(x: F64) -> tuple[F64, F64, F64]:
        added = motion.positions(stamps + x[0]) - model.joints
        return moved(place[0], x[1:4], x[4:7]), moved(place[1], x[7:10], x[10:13]), added

    def residuals(x: F64) -> F64:
        return np.concatenate([model.residuals(*at(x)) / _NOISE, x[1:7] / known])

    def jacobian(x: F64) -> F64:
        expected = model.expected(*at(x))
        by_time = np.sum(expected.joints * motion.velocities(stamps + x[0])[frame], axis=1)
        prior = np.pad(np.diag(1.0 / known), ((0, 0), (1, 6)))
        return np.vstack([np.column_stack([by_time, design_at(expected, x[1:])]) / _NOISE, prior])

    found = least_squares(residuals, np.zeros(13), jacobian, loss="huber", f_scale=3.0, x_scale="jac")
    errors = residuals(found.x)
    std = _std(jacobian(found.x), errors, model.rows)
    if not std <= UNSURE:
        raise CalibrationError(
            f"the offset is known to {1e3 * std:.1f} ms (1-sigma) only, expected {1e3 * UNSURE:g}: {_MORE}"
        )
    return TimeOffset(coarse + float(found.x[0]), std, rms(errors[: len(frame)] * _NOISE), len(frames))


def _std(design: F64, errors: F64, rows: Sequence[slice]) -> float:
    """1-sigma of the first parameter, frames being independent and the corners of one frame not (White)."""
    bread = np.linalg.pinv(design.T @ design)
    pulls = np.stack([design[each].T @ errors[each] for each in rows])
    excess = len(rows) / (len(rows) - design.shape[1])
    return float(np.sqrt((bread @ (pulls.T @ pulls) @ bread)[0, 0] * excess))
