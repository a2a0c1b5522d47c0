"""Hand-eye calibrations of cells that are known exactly, bad samples among theirs, against the truth.

python -m benchmarks.calibration.hand_eye [--rendered N] [--synthesised N] [--case NAME] [--out FILE]

Joint positions are suggested from a rough guess. *Rendered* runs find the corners in pictures with blur,
noise and uneven light; *synthesised* ones take the true corners with noise, which is quicker. With --case,
only its synthesised runs are made, and their rows put into the file.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.calibration.hand_eye_rows import ROTATION, TRANSLATION, HandEyeRow, HandEyeTable, Outcome, row
from benchmarks.calibration.known import Cell, cell
from benchmarks.calibration.rows import write
from loopwm_ros.calibration.hand_eye import calibrate_hand_eye
from loopwm_ros.calibration.samples import Sample
from loopwm_ros.calibration.suggestions import suggest_poses
from loopwm_ros.config.calibration import Setup
from loopwm_ros.errors import SensorError
from loopwm_ros.processing.poses import moved
from loopwm_ros.training.revision import git_revision
from loopwm_ros.types import F64

OUT = Path("docs/results/calibration/hand_eye.json")
POSES = 15
CORNERS = 0.1  # noise of synthesised corners [px]
WRONG_JOINTS = 0.02  # 1-sigma, of a sample whose joints are of another moment [rad]
SLIPPED = 0.005  # 1-sigma, of a board that slipped for one sample [m]
ARMS = ("panda", "ur5e")
LENSES = ("plumb_bob", "equidistant")  # synthesised runs are of the first
SETUPS: tuple[Setup, ...] = ("eye_to_hand", "eye_in_hand")
SETS = 3  # cells with poses of their own, that synthesised runs share


@dataclass(frozen=True)
class Case:
    """What is wrong with the joints and the camera model."""

    name: str
    joint_noise: float = 1e-4  # from sample to sample [rad]
    joint_offsets: float = 0.0  # 1-sigma [rad]; estimated where not 0
    focal: float = 0.0  # error of the camera model's focal length, as a share
    focal_std: float = 0.0  # 1-sigma of it that the calibration is told
    bad: int = 2  # samples put in: one with wrong joints, one with a board that slipped


USUAL = Case("usual")
CASES = (
    USUAL,
    Case("no bad samples", bad=0),
    Case("joint noise 0.5 mrad", joint_noise=5e-4),
    Case("joint offsets 5 mrad", joint_offsets=5e-3),
    Case("focal length 0.1 % off", focal=1e-3),
    Case("focal length 0.1 % off, 1-sigma known", focal=1e-3, focal_std=1e-3),
)


def samples(
    place: Cell, poses: Sequence[F64], offsets: F64, case: Case, rendered: bool, rng: np.random.Generator
) -> tuple[list[Sample], list[str]]:
    """One sample a pose, then the bad ones, whose names are also returned."""
    shift = rng.normal(0.0, SLIPPED, 3)
    slipped = replace(place, board_place=moved(place.board_place, np.zeros(3), shift))
    taken, wrong = [], []
    for number, joints in enumerate([*poses, *poses[: case.bad]]):
        bad = number - len(poses)
        name, scene = (f"good {number}", place) if bad < 0 else (f"bad {bad}", (place, slipped)[bad])
        try:
            seen = scene.drawn(joints, rng) if rendered else scene.corners(joints, CORNERS, rng)
        except SensorError:
            continue
        measured = joints - offsets + rng.normal(0.0, case.joint_noise, len(joints))
        if bad == 0:
            measured = measured + rng.normal(0.0, WRONG_JOINTS, len(joints))
        taken.append(Sample(name, seen, measured, float(number)))
        if bad >= 0:
            wrong.append(name)
    return taken, wrong


def run(place: Cell, poses: Sequence[F64], case: Case, rendered: bool, rng: np.random.Generator) -> Outcome:
    """One calibration."""
    offsets = rng.normal(0.0, case.joint_offsets, len(place.arm.joints))
    offsets[[0, -1]] = 0.0  # these only say how the base and the tool frame are turned
    taken, wrong = samples(place, poses, offsets, case, rendered, rng)
    scale = 1.0 + case.focal
    model = place.camera.model_copy(update={"fx": place.camera.fx * scale, "fy": place.camera.fy * scale})
    estimate = case.joint_offsets > 0
    found = calibrate_hand_eye(place.arm, model, taken, place.setup, estimate, case.focal_std)
    return Outcome.of(place, found, dict(zip(place.arm.joints, offsets, strict=True)), wrong)


def suggested(place: Cell, seed: int) -> list[F64]:
    """Poses from a rough guess."""
    guess = place.guess(np.random.default_rng(seed))
    return suggest_poses(place.arm, place.camera, place.board.settings, place.setup, guess, POSES, seed)


def rendered_row(arm: str, setup: Setup, lens: str, runs: int) -> HandEyeRow:
    """The usual case of one arm, set-up and lens."""
    found = []
    for seed in range(runs):
        place, rng = cell(arm, setup, lens, seed), np.random.default_rng(seed)
        found.append(run(place, suggested(place, seed), USUAL, True, rng))
    return row(arm, setup, lens, "rendered", USUAL.name, found)


def synthesised_rows(
    arm: str, setup: Setup, lens: str, runs: int, cases: Sequence[Case], revision: str | None
) -> list[HandEyeRow]:
    """Cases of one arm, set-up and lens."""
    places = [cell(arm, setup, lens, seed) for seed in range(min(SETS, runs))]
    poses = [suggested(place, seed) for seed, place in enumerate(places)]
    rows = []
    for case in cases:
        found = []
        for seed in range(runs):
            one = seed % len(places)
            found.append(run(places[one], poses[one], case, False, np.random.default_rng(1000 + seed)))
        rows.append(row(arm, setup, lens, "synthesised", case.name, found, revision))
    return rows


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rendered", type=int, default=3, help="runs of each arm, set-up and lens")
    parser.add_argument("--synthesised", type=int, default=20, help="runs of each case")
    parser.add_argument("--case", choices=[case.name for case in CASES], help="run only this one")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen, revision = parser.parse_args(), git_revision()
    table, added = _table(revision), revision if chosen.case else None
    if chosen.case:
        table = HandEyeTable.model_validate_json(chosen.out.read_text(encoding="utf-8"))
    cases = [case for case in CASES if chosen.case in (None, case.name)]
    for lens, arm, setup in itertools.product(LENSES, ARMS, SETUPS):
        rows: list[HandEyeRow] = []
        if chosen.rendered and not chosen.case:
            rows.append(rendered_row(arm, setup, lens, chosen.rendered))
        if chosen.synthesised and lens == LENSES[0]:
            rows += synthesised_rows(arm, setup, lens, chosen.synthesised, cases, added)
        for each in rows:
            print(each.line(), flush=True)
        table = table.including(rows)
        write(table, chosen.out)


def _table(revision: str) -> HandEyeTable:
    return HandEyeTable(
        git_revision=revision,
        opencv=cv2.__version__,
        poses=POSES,
        corner_noise_px=CORNERS,
        translation_mm=TRANSLATION,
        rotation_degrees=ROTATION,
        rows=(),
    )


if __name__ == "__main__":
    main()
