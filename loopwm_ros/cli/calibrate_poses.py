"""Poses to go to, for a hand-eye calibration: one by one in the guide, or printed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from rich.console import Console

from loopwm_ros.calibration.finishing import samples_of
from loopwm_ros.calibration.guessing import guessed
from loopwm_ros.calibration.samples import FEWEST
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.suggestions import suggest_poses
from loopwm_ros.calibration.verdict import POSES
from loopwm_ros.cli.calibrate_job import ArmJob
from loopwm_ros.config import ArmConfig
from loopwm_ros.errors import CalibrationError
from loopwm_ros.types import F64


class Suggester:
    """Suggests one pose after the other; anew once samples tell better where camera and board are."""

    def __init__(self, job: ArmJob) -> None:
        self._job = job
        self._left: list[F64] = []
        self._informed = False  # do they come from samples?

    def __call__(self, session: Session) -> str:
        """The next pose, in words; or why there is none."""
        informed = len(session.shots) >= FEWEST
        if not self._left or informed > self._informed:
            try:
                self._left = next_poses(self._job, session, max(FEWEST, POSES - len(session.shots)))
            except CalibrationError as error:
                return f"no pose is known: {error}"
            self._informed = informed
        return in_words(self._job.arm, self._left.pop(0))


def print_poses(out: Path, job: ArmJob, count: int) -> None:
    """Print poses, from what the session in `out` holds so far.

    Raises:
        CalibrationError: there are not so many with the board in view.
    """
    with closing(Session(out, job.settings("hand_eye"))) as session:
        for pose in next_poses(job, session, count):
            Console().print(in_words(job.arm, pose), highlight=False, soft_wrap=True)


def next_poses(job: ArmJob, session: Session, count: int) -> list[F64]:
    """Joint positions (n,) [rad] that add most; from a guess, the samples, or the arm's file.

    Raises:
        CalibrationError: there are not so many with the board in view.
    """
    guess = job.guess or guessed(job.arm, job.camera, job.board, job.setup, samples_of(session))
    found = suggest_poses(
        job.arm, job.camera, job.board, job.setup, guess, max(count, FEWEST), len(session.shots)
    )
    return found[:count]


def in_words(arm: ArmConfig, joints: F64) -> str:
    """Joint positions in degrees and radians."""
    degrees = "  ".join(f"{value:.0f}°" for value in np.rad2deg(joints))
    radians = ", ".join(f"{value:.3f}" for value in joints)
    return f"{degrees}   [{radians}] rad, {arm.joints[0]} first"
