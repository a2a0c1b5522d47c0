"""Where a camera is, on the hand or beside the arm, from pictures of a board at many joint positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loopwm_ros.calibration.board import Detection
from loopwm_ros.config.calibration import HandEye, Transform
from loopwm_ros.types import F64


@dataclass(frozen=True)
class Sample:
    """A board seen while the arm stood still, or moved and was interpolated."""

    name: str
    detection: Detection
    joints: F64  # measured, in the arm file's order [rad], (n,)
    stamp: float  # of the picture, by the camera's clock [s]


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
