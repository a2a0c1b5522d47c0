"""Small cells for calibration tests, with joint positions that were suggested for them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from benchmarks.calibration.known import HELD, Cell, cell
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.samples import Sample
from loopwm_ros.calibration.suggestions import suggest_poses
from loopwm_ros.config.calibration import CameraModel, Setup
from loopwm_ros.types import F64

SMALL = CameraModel(
    width=400, height=300, fx=390.0, fy=389.0, cx=201.3, cy=148.2, distortion=(-0.2, 0.06, 0.0005, 0.0, 0.0)
)


@lru_cache
def place(arm: str, setup: Setup, camera: CameraModel | None = None) -> Cell:
    """A cell; by default with a camera of 800 x 600 pixels, for other ones with a board of few squares."""
    found = cell(arm, setup, "plumb_bob", 0)
    return found if camera is None else replace(found, camera=camera, board=Board(HELD))


@lru_cache
def poses(arm: str, setup: Setup, camera: CameraModel | None = None, count: int = 15) -> tuple[F64, ...]:
    """Joint positions suggested from a rough guess."""
    there = place(arm, setup, camera)
    guess = there.guess(np.random.default_rng(0))
    return tuple(suggest_poses(there.arm, there.camera, there.board.settings, setup, guess, count, 0))


def samples(
    there: Cell,
    joints: tuple[F64, ...],
    rng: np.random.Generator,
    joint_noise: float = 1e-4,
    corners: float = 0.1,
) -> list[Sample]:
    """What is measured at true joints, without pictures."""
    return [
        Sample(
            f"sample {number}",
            there.corners(true, 0.1, rng),
            true + rng.normal(0.0, joint_noise, len(true)),
            float(number),
        )
        for number, true in enumerate(joints)
    ]
