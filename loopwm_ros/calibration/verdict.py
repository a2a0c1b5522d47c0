"""Is a calibration good, usable or to be done again, and why: measured values against thresholds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from loopwm_ros.calibration.coverage import Coverage
from loopwm_ros.calibration.hand_eye import HandEyeResult
from loopwm_ros.calibration.intrinsics import Intrinsics
from loopwm_ros.calibration.time_offset import FEWEST, UNSURE, TimeOffset
from loopwm_ros.validation.certificate import Kind, holds
from loopwm_ros.validation.statistics import Record

Grade = Literal["good", "usable", "redo"]
ORDER: tuple[Grade, ...] = ("good", "usable", "redo")
WORDS = {
    "good": "Every value is as good as it should be.",
    "usable": "It can be used; what is not good, and what would help, is listed.",
    "redo": "It must not be relied on; what is wrong, and what would help, is listed.",
}


@dataclass(frozen=True)
class Limit:
    """What a value must be to be good, and to be usable."""

    what: str
    unit: str
    kind: Kind
    good: float
    usable: float
    advice: str  # what makes it better


FOCAL = "focal length, 1-sigma"
POSES, TURN, FRAMES = 15, 12.0, 40  # of good ones: poses, turn about the second axis [degrees], pictures
_TURN = "add poses with the tool turned by 20 to 40 degrees about other axes"
LENS = (
    Limit("reprojection RMS", "px", "at most", 0.3, 1.0,
          "check that the board is flat and its settings are those of the print; undo blurred pictures"),
    Limit("views", "", "at least", 15, 8, "take more pictures"),
    Limit("parts of the picture where the board was seen", "%", "at least", 80, 50,
          "show the board in the corners and at the edges, too"),
    Limit("least coverage of left to right, top to bottom, close and tilt", "%", "at least", 100, 60,
          "move the board to the edges, bring it close, tilt it by 20 to 45 degrees"),
    Limit(FOCAL, "%", "at most", 0.1, 0.5, "add pictures with the board close and tilted"),
    Limit("optical centre, 1-sigma", "px", "at most", 1.0, 4.0,
          "add pictures with the board tilted about both axes, and turned by 90 degrees"),
    Limit("pictures that contradict the others", "%", "at most", 10, 30,
          "look at the pictures left out: moved, blurred, or the board is bent"),
)  # fmt: skip
HAND_EYE = (
    Limit("reprojection RMS", "px", "at most", 0.5, 3.0,
          "check the camera's calibration and the board's settings; estimate joint offsets; "
          "check that board and camera are fixed"),
    Limit("poses", "", "at least", POSES, 6, "take more poses"),
    Limit("turn about the second axis, RMS", "degrees", "at least", TURN, 5, _TURN),
    Limit("camera's place, 1-sigma", "mm", "at most", 1.0, 4.0, _TURN),
    Limit("camera's direction, 1-sigma", "degrees", "at most", 0.1, 0.4, _TURN),
    Limit("joint errors that differ from pose to pose, 1-sigma", "degrees", "at most", 0.05, 0.3,
          "wait until the arm stands still; check that the joint states are those of the moment"),
    Limit("poses that contradict the others", "%", "at most", 10, 30,
          "look at the pictures left out: had the arm stopped, is the board fixed?"),
)  # fmt: skip
TIME = (
    Limit("time offset, 1-sigma", "ms", "at most", 1.0, 1e3 * UNSURE,
          "swing the arm faster, so that the board's picture goes by 100 px a second or more"),
    Limit("reprojection RMS in motion", "px", "at most", 2.0, 8.0,
          "calibrate hand and eye first, and light the board well: motion blur"),
    Limit("pictures", "", "at least", FRAMES, FEWEST, "record for longer"),
)  # fmt: skip


class Finding(Record):
    """One measured value against its limit."""

    what: str
    value: float
    unit: str
    kind: Kind
    good: float
    usable: float
    grade: Grade
    advice: str = Field(description="what makes it better")

    @property
    def words(self) -> str:
        """Value and threshold."""
        limit = self.good if self.grade != "redo" else self.usable
        return f"{self.what}: {_figure(self.value, self.unit)}, {self.kind} {_figure(limit, self.unit)}"


class Verdict(Record):
    """All findings; the worst one decides."""

    grade: Grade
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """Findings that are not good, the worst first."""
        bad = (finding for finding in self.findings if finding.grade != "good")
        return tuple(sorted(bad, key=lambda finding: -ORDER.index(finding.grade)))


def judged(value: float, limit: Limit) -> Finding:
    """A value against its limit."""
    good, usable = (holds(value, limit.kind, each) for each in (limit.good, limit.usable))
    grade: Grade = "good" if good else "usable" if usable else "redo"
    return Finding(
        what=limit.what,
        value=value,
        unit=limit.unit,
        kind=limit.kind,
        good=limit.good,
        usable=limit.usable,
        grade=grade,
        advice=limit.advice,
    )


def verdict(values: Iterable[float], limits: Iterable[Limit]) -> Verdict:
    """Of values in the order of their limits: the worst grade of all."""
    made = tuple(judged(value, limit) for value, limit in zip(values, limits, strict=True))
    return Verdict(grade=max((finding.grade for finding in made), key=ORDER.index), findings=made)


def judge_intrinsics(result: Intrinsics, coverage: Coverage) -> Verdict:
    """Of a lens."""
    camera, std, views = result.camera, result.std, len(result.residuals)
    values = (
        result.rms,
        views,
        100.0 * float((coverage.grid > 0).mean()),
        100.0 * min(coverage.x, coverage.y, coverage.size, coverage.skew),
        100.0 * max(std["fx"] / camera.fx, std["fy"] / camera.fy),
        max(std["cx"], std["cy"]),
        100.0 * len(result.dropped) / (views + len(result.dropped)),
    )
    return verdict(values, LENS)


def judge_hand_eye(result: HandEyeResult) -> Verdict:
    """Of a camera's place."""
    poses = len(result.residuals)
    values = (
        result.rms,
        poses,
        float(np.rad2deg(result.spread)),
        1e3 * max(result.result.translation_std),
        float(np.rad2deg(max(result.result.rotation_std))),
        float(np.rad2deg(result.joint_noise)),
        100.0 * len(result.dropped) / (poses + len(result.dropped)),
    )
    return verdict(values, HAND_EYE)


def judge_time(result: TimeOffset) -> Verdict:
    """Of a time offset."""
    return verdict((1e3 * result.std, result.rms, result.frames), TIME)


def _figure(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".strip()
