"""Samples of a hand-eye calibration: which are usable, and whether they turn enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from loopwm_ros.calibration.board import Detection
from loopwm_ros.calibration.board_pose import board_pose
from loopwm_ros.calibration.hand_eye_model import Sight
from loopwm_ros.calibration.residuals import rms
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.errors import CalibrationError, SensorError
from loopwm_ros.types import F64

FEWEST = 5  # samples
LEAST_SPREAD = 0.05  # RMS turn about a second axis [rad]
_FAR, _TIMES = 1.0, 5.0  # a residual is too large beyond this [px], and this many medians
_CORNERS = 6  # left of a sample after bad ones are taken out


@dataclass(frozen=True)
class Sample:
    """A board seen while the arm stood still, or moved and was interpolated."""

    name: str
    detection: Detection
    joints: F64  # measured, in the arm file's order [rad], (n,)
    stamp: float  # of the picture, by the camera's clock [s]


@dataclass(frozen=True)
class Posed:
    """A sample with the board's pose."""

    name: str
    sight: Sight  # without corners that fit no flat board
    board: F64  # in the optical frame, (4, 4)


def pose_samples(
    camera: CameraModel, samples: Sequence[Sample], joints: int
) -> tuple[list[Posed], dict[str, str]]:
    """The board's pose in each usable sample, and why the others are not.

    Raises:
        CalibrationError: two samples have one name, or joints are not those of the arm.
    """
    kept: list[Posed] = []
    dropped: dict[str, str] = {}
    for sample in samples:
        _check(sample, joints, {posed.name for posed in kept} | set(dropped))
        try:
            kept.append(pose_sample(camera, sample))
        except SensorError as error:
            dropped[sample.name] = str(error)
    return kept, dropped


def largest(typical: float) -> float:
    """Residual that is still no sign of something wrong, where that of most is as given [px]."""
    return max(_FAR, _TIMES * typical)


def spread(rotations: F64) -> F64:
    """RMS turn about each principal axis, largest first (3,) [rad], and the axes in rows: (4, 3).

    Of tool rotations (m, 3, 3), in the tool's axes.
    """
    found = Rotation.from_matrix(rotations)
    turns = (found.mean().inv() * found).as_rotvec()
    _, sizes, axes = np.linalg.svd(turns, full_matrices=False)
    return np.vstack([sizes / np.sqrt(len(turns)), axes])


def check_spread(rotations: F64) -> float:
    """RMS turn about the axis turned about second most [rad], of tool rotations (m, 3, 3).

    Raises:
        CalibrationError: too few samples, or they turn about fewer than two axes.
    """
    if len(rotations) < FEWEST:
        raise CalibrationError(
            f"{len(rotations)} usable samples; expected at least {FEWEST}, and 15 for a good result"
        )
    sizes, *axes = spread(rotations)
    if sizes[1] >= LEAST_SPREAD:
        return float(sizes[1])
    first, second = np.degrees(sizes[:2])
    beyond = np.abs(axes[1]) + np.abs(axes[2]) if sizes[0] >= LEAST_SPREAD else np.ones(3)
    named = [axis for axis, part in zip("xyz", beyond, strict=True) if part > 0.5]
    raise CalibrationError(
        f"the tool turns by {first:.1f} degrees (RMS) about one axis and by {second:.1f} about any other; "
        f"expected at least {np.degrees(LEAST_SPREAD):.1f} about a second one: add samples with the tool "
        f"turned by 20 to 40 degrees, both ways, about its {' and its '.join(named)} axis"
    )


def pose_sample(camera: CameraModel, sample: Sample) -> Posed:
    """The board's pose, without corners far from where the others put them if these are few.

    Raises:
        SensorError: the corners fit no flat board.
    """
    seen = sample.detection
    pose, residuals = board_pose(camera, seen)
    distances = np.linalg.norm(residuals, axis=1)
    good = distances <= largest(float(np.median(distances)))
    if not good.all() and good.sum() >= _CORNERS:
        seen = Detection(seen.ids[good], seen.points[good], seen.pixels[good])
        pose, residuals = board_pose(camera, seen)
    if (error := rms(residuals)) > 2.0 * _FAR:
        raise SensorError(
            f"its corners are {error:.1f} px (RMS) from those of a flat board, expected at most "
            f"{2.0 * _FAR:g}: another board, a bent one, blur, or not the model of this camera"
        )
    return Posed(sample.name, Sight(seen.points, seen.pixels, np.asarray(sample.joints, dtype=float)), pose)


def _check(sample: Sample, joints: int, names: set[str]) -> None:
    if sample.name in names:
        raise CalibrationError(f"two samples are named '{sample.name}'; each needs a name of its own")
    if np.shape(sample.joints) != (joints,) or not np.isfinite(sample.joints).all():
        raise CalibrationError(
            f"sample '{sample.name}' has joints {np.round(sample.joints, 3).tolist()}; expected {joints} "
            "finite angles [rad], in the arm file's order"
        )
