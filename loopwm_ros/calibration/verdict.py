"""Is a calibration good, usable or to be done again, and why: measured values against stated thresholds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from pydantic import Field

from loopwm_ros.calibration.coverage import Coverage
from loopwm_ros.calibration.hand_eye import HandEyeResult
from loopwm_ros.calibration.intrinsics import Intrinsics
from loopwm_ros.calibration.time_offset import TimeOffset
from loopwm_ros.validation.certificate import Kind, holds
from loopwm_ros.validation.statistics import Record

Grade = Literal["good", "usable", "redo"]
ORDER: tuple[Grade, ...] = ("good", "usable", "redo")
WORDS = {
    "good": "Every value is as good as it should be.",
    "usable": "It can be used; what is not good, and what would help, is listed.",
    "redo": "It must not be relied on; what is wrong, and what would help, is listed.",
}


class Finding(Record):
    """One measured value against its two thresholds."""

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
        return f"{self.what} is {_figure(self.value, self.unit)}, {self.kind} {_figure(limit, self.unit)}"


class Verdict(Record):
    """All findings; the worst one decides."""

    grade: Grade
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """Findings that are not good, the worst first."""
        return tuple(
            sorted((f for f in self.findings if f.grade != "good"), key=lambda f: -ORDER.index(f.grade))
        )


def found(
    what: str, value: float, unit: str, kind: Kind, limits: tuple[float, float], advice: str
) -> Finding:
    """A value against what is good and what is usable."""
    good, usable = limits
    grade: Grade = "good" if holds(value, kind, good) else "usable" if holds(value, kind, usable) else "redo"
    return Finding(
        what=what, value=value, unit=unit, kind=kind, good=good, usable=usable, grade=grade, advice=advice
    )


def verdict(findings: Iterable[Finding]) -> Verdict:
    """The worst grade of all."""
    made = tuple(findings)
    return Verdict(grade=max((f.grade for f in made), key=ORDER.index), findings=made)


def judge_intrinsics(result: Intrinsics, coverage: Coverage) -> Verdict:
    """Of a lens."""
    camera, std, views = result.camera, result.std, len(result.residuals)
    focal = 100.0 * max(std["fx"] / camera.fx, std["fy"] / camera.fy)
    share = 100.0 * len(result.dropped) / (views + len(result.dropped))
    filled = 100.0 * float((coverage.grid > 0).mean())
    least = min(coverage.x, coverage.y, coverage.size, coverage.skew) * 100.0
    return verdict(
        [
            found(
                "reprojection RMS", result.rms, "px", "at most", (0.3, 1.0),
                "check that the board is flat and its settings are those of the print; undo blurred pictures",
            ),
            found("views", views, "", "at least", (15, 8), "take more pictures"),
            found(
                "parts of the picture where the board was seen", filled, "%", "at least", (80, 50),
                "show the board in the corners and at the edges, too",
            ),
            found(
                "least coverage of left to right, top to bottom, close and tilt", least, "%", "at least",
                (100, 60), "move the board to the edges, bring it close, tilt it by 20 to 45 degrees",
            ),
            found(
                "focal length, 1-sigma", focal, "%", "at most", (0.1, 0.5),
                "add pictures with the board close and tilted",
            ),
            found(
                "optical centre, 1-sigma", max(std["cx"], std["cy"]), "px", "at most", (1.0, 4.0),
                "add pictures with the board tilted about both axes, and turned by 90 degrees",
            ),
            found(
                "pictures that contradict the others", share, "%", "at most", (10, 30),
                "look at the pictures left out: moved, blurred, or the board is bent",
            ),
        ]
    )  # fmt: skip


def judge_hand_eye(result: HandEyeResult) -> Verdict:
    """Of a camera's place."""
    poses = len(result.residuals)
    place = 1e3 * max(result.result.translation_std)
    turn = float(np.rad2deg(max(result.result.rotation_std)))
    share = 100.0 * len(result.dropped) / (poses + len(result.dropped))
    noise = float(np.rad2deg(result.joint_noise))
    more = "add poses with the tool turned by 20 to 40 degrees about other axes"
    return verdict(
        [
            found(
                "reprojection RMS", result.rms, "px", "at most", (0.5, 3.0),
                "check the camera's calibration and the board's settings; estimate joint offsets "
                "(--joint-offsets); check that board and camera are fixed",
            ),
            found("poses", poses, "", "at least", (12, 6), "take more poses"),
            found("turn about the second axis, RMS", float(np.rad2deg(result.spread)), "degrees", "at least",
                  (12, 5), more),
            found("camera's place, 1-sigma", place, "mm", "at most", (1.0, 4.0), more),
            found("camera's direction, 1-sigma", turn, "degrees", "at most", (0.1, 0.4), more),
            found(
                "joint errors that differ from pose to pose, 1-sigma", noise, "degrees", "at most",
                (0.05, 0.3),
                "wait until the arm stands still; check that the joint states are those of the moment",
            ),
            found("poses that contradict the others", share, "%", "at most", (10, 30),
                  "look at the pictures left out: had the arm stopped, is the board fixed?"),
        ]
    )  # fmt: skip


def judge_time(result: TimeOffset) -> Verdict:
    """Of a time offset."""
    faster = "move the arm faster and to and fro, so that the board's picture goes by 100 px a second or more"
    return verdict(
        [
            found("time offset, 1-sigma", 1e3 * result.std, "ms", "at most", (1.0, 4.0), faster),
            found("reprojection RMS in motion", result.rms, "px", "at most", (2.0, 8.0),
                  "calibrate hand and eye first, and light the board well: motion blur"),
            found("pictures", result.frames, "", "at least", (40, 15), "record for longer"),
        ]
    )  # fmt: skip


def _figure(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".strip()
