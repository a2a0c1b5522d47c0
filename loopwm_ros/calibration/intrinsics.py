"""A camera's lens from views of a board; views that contradict the others are dropped, and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from loopwm_ros.calibration.lens_fit import TILT, Fit, deviations, fit_lens
from loopwm_ros.calibration.residuals import rms
from loopwm_ros.calibration.views import MAX_VIEWS, View
from loopwm_ros.config.calibration import CameraModel, Lens
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64

FEWEST_VIEWS = 5
OUTLYING = 2.5  # times the median view's RMS
NOTICED = 0.3  # RMS below which a view is never dropped [px]
DROPPED = 1 / 3  # share of views that may contradict the rest
FLAT = np.deg2rad(10.0)  # least angle between the boards of two views
TOLERATED = 3.0  # RMS of the views kept [px]
UNKNOWN = 0.02  # 1-sigma of a focal length, relative, that is no calibration


@dataclass(frozen=True)
class Intrinsics:
    """A calibrated lens."""

    camera: CameraModel
    rms: float  # distance of corners seen and projected, of the views kept [px]
    std: Mapping[str, float]  # 1-sigma of fx, fy, cx, cy [px] and of each coefficient by its name
    residuals: Mapping[str, F64]  # seen less projected, by view kept, (m, 2) [px]
    poses: Mapping[str, F64]  # of the board in the optical frame, by view kept, 4x4
    dropped: Mapping[str, str]  # reason, by view not kept


def calibrate_intrinsics(views: Sequence[View], lens: Lens) -> Intrinsics:
    """The lens, from at least FEWEST_VIEWS views of one size.

    The worst view is left out, and the lens fitted anew, until none stands out from the others.
    Coefficients of `rational_polynomial` trade off against each other: `std` says so, and outside of where
    corners were seen the lens may then be anything.

    Raises:
        SensorError: too few views, or they do not tell the lens; it says what to add.
    """
    _check(views)
    kept, dropped = list(views), dict[str, str]()
    fit = fit_lens(kept, lens)
    while (found := _outlier(fit)) is not None:
        worst, reason = found
        dropped[kept.pop(worst).name] = reason
        if len(kept) < max(FEWEST_VIEWS, (1.0 - DROPPED) * len(views)):
            raise SensorError(
                f"views contradict each other; left out were {_listed(dropped)}, and too few remain; check "
                "that the board is flat and that its settings are those of the print, and take the views anew"
            )
        fit = fit_lens(kept, lens)
    error = rms(np.concatenate(fit.residuals))
    if not error <= TOLERATED:
        raise SensorError(
            f"no '{lens}' lens explains these views: corners are off by {error:.1f} px RMS, tolerated are "
            f"{TOLERATED:g} px; check the board's settings against the print, or take another lens"
        )
    std = deviations(fit, kept)
    _check_told(fit, std)
    names = [view.name for view in kept]
    return Intrinsics(
        camera=fit.camera,
        rms=error,
        std=std,
        residuals=dict(zip(names, fit.residuals, strict=True)),
        poses=dict(zip(names, fit.poses, strict=True)),
        dropped=dropped,
    )


def _check(views: Sequence[View]) -> None:
    if not FEWEST_VIEWS <= len(views) <= MAX_VIEWS:
        raise SensorError(
            f"{len(views)} views; expected {FEWEST_VIEWS} to {MAX_VIEWS}, 15 or more are good: near and far, "
            "in all corners of the picture, tilted about both axes"
        )
    sizes = sorted({view.size for view in views})
    if len(sizes) > 1:
        raise SensorError(
            f"views have {len(sizes)} sizes, {sizes[0]} and {sizes[-1]} among them; expected one"
        )
    if len({view.name for view in views}) < len(views):
        raise SensorError("two views have the same name; expected each its own")


def _outlier(fit: Fit) -> tuple[int, str] | None:
    """The view that stands out most, if one does, and how."""
    values = np.array([rms(each) for each in fit.residuals])
    values[~np.isfinite(values)] = np.inf
    worst, median = int(np.argmax(values)), float(np.median(values))
    if values[worst] <= max(NOTICED, OUTLYING * median):
        return None
    return (
        worst,
        f"its corners are off by {values[worst]:.2f} px RMS, the median view by {median:.2f} px",
    )


def _check_told(fit: Fit, std: Mapping[str, float]) -> None:
    normals = np.array([pose[:3, 2] for pose in fit.poses])
    cosines = np.clip(normals @ normals.T, -1.0, 1.0)
    widest = float(np.arccos(cosines.min()))
    if widest < FLAT:
        raise SensorError(
            f"all views show the board at nearly the same tilt, within {np.rad2deg(widest):.0f} degrees, "
            f"which does not tell the focal length; {TILT}"
        )
    for name, value in (("fx", fit.camera.fx), ("fy", fit.camera.fy)):
        if not std[name] < UNKNOWN * value:
            raise SensorError(
                f"the views do not tell the focal length: {name} is {value:.0f} px with a 1-sigma of "
                f"{std[name]:.0f} px; {TILT}, and bring it closer"
            )


def _listed(dropped: Mapping[str, str]) -> str:
    return "; ".join(f"{name} ({reason})" for name, reason in dropped.items())
