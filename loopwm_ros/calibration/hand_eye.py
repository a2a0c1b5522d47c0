"""Where a camera is, on the hand or beside the arm, from pictures of a board at many joint positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from loopwm_ros.calibration.hand_eye_methods import METHODS, by_method, mean_board
from loopwm_ros.calibration.hand_eye_model import SightModel, frames
from loopwm_ros.calibration.hand_eye_refine import Fit, first_fit, refine, surprise, with_focal
from loopwm_ros.calibration.residuals import rms
from loopwm_ros.calibration.samples import Posed, Sample, check_spread, largest, pose_samples
from loopwm_ros.config import ArmConfig
from loopwm_ros.config.base import Vec3
from loopwm_ros.config.calibration import CameraModel, HandEye, Setup, Transform
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import CalibrationError
from loopwm_ros.processing.poses import transform
from loopwm_ros.types import F64

__all__ = ["HandEyeResult", "Sample", "calibrate_hand_eye"]

_SUBSETS, _OF = 20, 5  # drawn for a start that bad samples cannot spoil
_HELD = (
    "its offset changes nothing that the poses of camera and board, or other joints' offsets, could not "
    "change as well; add samples in which this and other joints turn further"
)
_LOOSE = 0.01  # noise of joints at which there is nothing to be calibrated [rad]
_RARE = 1e-6  # chance of a good sample to be taken for a bad one


@dataclass(frozen=True)
class HandEyeResult:
    """A calibration, and what speaks for it."""

    result: HandEye
    methods: Mapping[str, Transform | None]  # camera in its parent by OpenCV's methods; None: it failed
    rms: float  # of a corner's distance to where it is expected [px]
    residuals: Mapping[str, F64]  # seen minus expected of each sample used, (m, 2) [px]
    dropped: Mapping[str, str]  # samples not used, with the reason
    spread: float  # RMS turn about the axis that was turned about second most [rad]
    joint_noise: float  # 1-sigma of joint errors that change from sample to sample [rad]
    offset_std: Mapping[str, float]  # 1-sigma of the joint offsets estimated [rad]
    held: Mapping[str, str]  # joints whose offset was asked for but kept at 0, with the reason


def calibrate_hand_eye(
    arm: ArmConfig,
    camera: CameraModel,
    samples: Sequence[Sample],
    setup: Setup,
    joint_offsets: bool = False,
    focal_std: float = 0.0,
) -> HandEyeResult:
    """Find the camera in its parent and the board in its own, and joint offsets if asked for.

    OpenCV's methods give a start; then all corners' reprojection error is made least. Uncertainties count in
    noise of the corners and of the joints, both estimated, and `focal_std`, the 1-sigma of the camera model's
    focal lengths as a share of them; at 0 that model is taken for exact.

    Raises:
        CalibrationError: too few samples, they turn too little, or they contradict each other.
        ConfigError: the arm's URDF cannot be used.
    """
    kinematics = Kinematics(arm)
    kept, dropped = pose_samples(camera, samples, len(arm.joints))
    task = _Task(kinematics, camera, setup)
    check_spread(task.rotations(kept))
    fit = first_fit(task.model(kept), *task.start(kept), joint_offsets)
    while bad := task.misplaced(kept, fit):
        kept = _without(kept, bad, dropped, len(samples))
        check_spread(task.rotations(kept))
        fit = first_fit(task.model(kept), fit.camera, fit.board, joint_offsets)
    fit = refine(task.model(kept), fit, joint_offsets)
    while bad := task.surprising(kept, fit):
        kept = _without(kept, bad, dropped, len(samples))
        check_spread(task.rotations(kept))
        fit = refine(task.model(kept), fit, joint_offsets)
    if fit.noise.joints > _LOOSE:
        raise CalibrationError(
            f"joints and pictures are {1e3 * fit.noise.joints:.0f} mrad apart from sample to sample, "
            f"expected at most {1e3 * _LOOSE:g}: check that joints belong to the pictures, that the board is "
            "fixed in its parent, and that the arm's URDF is right"
        )
    fit = with_focal(task.model(kept), fit, focal_std)
    held = [name for i, name in enumerate(arm.joints) if joint_offsets and i not in fit.free]
    return _result(arm, task, kept, dropped, fit, held)


class _Task:
    """One arm, camera and set-up."""

    def __init__(self, kinematics: Kinematics, camera: CameraModel, setup: Setup) -> None:
        self.kinematics, self.camera, self.setup = kinematics, camera, setup

    def model(self, kept: Sequence[Posed]) -> SightModel:
        return SightModel(self.kinematics, self.camera, self.setup, [each.sight for each in kept])

    def rotations(self, kept: Sequence[Posed]) -> F64:
        """Of the tool, (m, 3, 3)."""
        found = [self.kinematics.mount(each.sight.joints)[0][:3, :3] for each in kept]
        return np.array(found).reshape(-1, 3, 3)

    def start(self, kept: Sequence[Posed]) -> tuple[F64, F64]:
        """Camera and board by the method, and the samples, that explain most samples best."""
        model, boards = self.model(kept), np.stack([each.board for each in kept])
        links, _ = model.links(np.zeros(model.joints.shape[1]))
        rng = np.random.default_rng(0)
        chosen = [rng.choice(len(kept), _OF, replace=False) for _ in range(_SUBSETS)]
        tries = [(name, np.arange(len(kept))) for name in METHODS] + [("park", some) for some in chosen]
        best: tuple[float, F64, F64] | None = None
        for name, some in tries:
            if (camera := by_method(name, links[some], boards[some])) is not None:
                board = mean_board(camera, links[some], boards[some])
                error = float(np.median(_errors(model, model.residuals(camera, board, np.zeros(1)))))
                if best is None or error < best[0]:
                    best = (error, camera, board)
        if best is None:
            raise CalibrationError(
                "none of OpenCV's methods finds a camera pose; add samples with the tool turned by 20 to 40 "
                "degrees about each of its axes"
            )
        return best[1:]

    def misplaced(self, kept: Sequence[Posed], fit: Fit) -> dict[str, str]:
        """Samples far from where the others put them, with the reason."""
        errors = _errors(self.model(kept), fit.expected.residuals)
        typical = float(np.median(errors))
        return {
            each.name: _apart(error, typical)
            for each, error in zip(kept, errors.tolist(), strict=True)
            if error > largest(typical)
        }

    def surprising(self, kept: Sequence[Posed], fit: Fit) -> dict[str, str]:
        """The sample whose joints fit its picture least, with the reason, if that is no chance."""
        model = self.model(kept)
        found, freedom = surprise(model, fit), model.joints.shape[1]
        worst = int(np.argmax(found))
        if found[worst] <= chi2.isf(_RARE, freedom):
            return {}
        errors = _errors(model, fit.expected.residuals)
        return {kept[worst].name: _apart(float(errors[worst]), float(np.median(errors)))}


def _errors(model: SightModel, residuals: F64) -> F64:
    """RMS of each sight [px], (m,)."""
    return np.array([rms(residuals[each]) for each in model.rows])


def _apart(error: float, typical: float) -> str:
    return (
        f"its corners are {error:.2f} px (RMS) from where the other samples put them, where {typical:.2f} is "
        "usual: the board or the arm moved, or the joints are not of the moment of the picture"
    )


def _without(kept: list[Posed], bad: dict[str, str], dropped: dict[str, str], given: int) -> list[Posed]:
    """The samples left, at least half of those given."""
    dropped |= bad
    left = [each for each in kept if each.name not in bad]
    if 2 * len(left) < given:
        name, why = next(iter(bad.items()))
        raise CalibrationError(
            f"{len(dropped)} of {given} samples cannot be used ('{name}': {why}); check that the board does "
            "not move in its parent, that it is the board described, and that the arm's URDF is right"
        )
    return left


def _result(
    arm: ArmConfig,
    task: _Task,
    kept: Sequence[Posed],
    dropped: Mapping[str, str],
    fit: Fit,
    held: Sequence[str],
) -> HandEyeResult:
    model, std = task.model(kept), fit.std
    parent, other = frames(arm, task.setup)
    asked = {arm.joints[i]: float(fit.offsets[i]) for i in fit.free}
    result = HandEye(
        arm=arm.name,
        setup=task.setup,
        parent=parent,
        child=arm.camera.frame,
        camera=transform(fit.camera),
        board_parent=other,
        board=transform(fit.board),
        translation_std=_three(std[3:6]),
        rotation_std=_three(std[:3]),
        joint_offsets=asked,
        lens=task.camera,
    )
    links, _ = model.links(fit.offsets)
    boards = np.stack([each.board for each in kept])
    found = {name: by_method(name, links, boards) for name in METHODS}
    parts = [fit.expected.residuals[rows].reshape(-1, 2) for rows in model.rows]
    return HandEyeResult(
        result=result,
        methods={name: None if pose is None else transform(pose) for name, pose in found.items()},
        rms=rms(fit.expected.residuals),
        residuals={each.name: part for each, part in zip(kept, parts, strict=True)},
        dropped=dict(dropped),
        spread=check_spread(task.rotations(kept)),
        joint_noise=fit.noise.joints,
        offset_std=dict(zip(asked, std[12:].tolist(), strict=True)),
        held=dict.fromkeys(held, _HELD),
    )


def _three(values: F64) -> Vec3:
    x, y, z = values.tolist()
    return (x, y, z)
