"""Time offsets that were put into recordings of moving arms, against what is found.

python -m benchmarks.calibration.time_offset [--rendered N] [--synthesised N] [--out FILE]

Stamps of camera and joints jitter, joints are noisy, and the hand-eye calibration is off by what it says it
may be. *Rendered* runs find the corners in pictures; *synthesised* ones take the true corners with noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from benchmarks.calibration.known import Cell, cell
from benchmarks.calibration.rows import write
from loopwm_ros.calibration.board import Detection
from loopwm_ros.calibration.samples import Sample
from loopwm_ros.calibration.time_offset import TimeOffset, estimate_time_offset
from loopwm_ros.config.base import Settings
from loopwm_ros.config.calibration import Setup
from loopwm_ros.errors import SensorError
from loopwm_ros.processing.poses import moved
from loopwm_ros.training.revision import git_revision
from loopwm_ros.types import F64

OUT = Path("docs/results/calibration/time_offset.json")
OFFSETS = (-0.040, -0.015, 0.0, 0.007, 0.030, 0.060)  # [s]
LENGTH = 10.0  # of a recording [s]
CAMERA, JOINTS = 10.0, 100.0  # [Hz]
CAMERA_JITTER, JOINT_JITTER = 3e-3, 1e-3  # of stamps, to either side at most [s]
JOINT_NOISE = 1e-4  # [rad]
CORNERS = 0.1  # noise of synthesised corners [px]
SWING = (0.04, 0.08)  # amplitude of each joint's swing [rad]
RATE = (0.4, 0.8)  # of swings [Hz]
WRONG = (2e-4, 3e-4)  # 1-sigma of the hand-eye calibration's turns [rad] and shifts [m]
PROMISED = 2e-3  # [s]
ARMS = ("panda", "ur5e")
SETUPS: tuple[Setup, ...] = ("eye_to_hand", "eye_in_hand")


class OffsetRow(Settings):
    """Recordings of one arm and set-up."""

    arm: str
    setup: str
    corners: str  # rendered or synthesised
    offsets_ms: tuple[float, ...]  # put in, one a recording
    errors_ms: tuple[float, ...]
    worst_ms: float
    within: int  # of these, within what is promised
    sigma: float  # RMS of errors over reported 1-sigma
    std_ms: float  # median of what is reported
    rms_px: float  # median
    frames: int  # median

    def line(self) -> str:
        """In short."""
        return (
            f"{self.arm} {self.setup} {self.corners}: {self.within} of {len(self.errors_ms)} within; "
            f"worst {self.worst_ms:.2f} ms, errors {self.sigma:.2f} sigma of {self.std_ms:.2f} ms; "
            f"{self.rms_px:.2f} px"
        )


class OffsetTable(Settings):
    """All of them."""

    git_revision: str
    opencv: str
    promised_ms: float
    camera_hz: float
    joints_hz: float
    camera_jitter_ms: float  # to either side, at most
    joint_jitter_ms: float
    rows: tuple[OffsetRow, ...]


def swing(place: Cell, rng: np.random.Generator) -> Sequence[F64]:
    """Amplitude [rad], rate [rad/s] and phase of each joint's motion around home."""
    count = len(place.arm.joints)
    return (
        rng.uniform(*SWING, count),
        2 * np.pi * rng.uniform(*RATE, count),
        rng.uniform(-np.pi, np.pi, count),
    )


def recording(
    place: Cell, offset: float, rendered: bool, rng: np.random.Generator, length: float = LENGTH
) -> tuple[list[Sample], F64, F64]:
    """Frames by the camera's clock, and stamps and positions of the joints by theirs."""
    amplitude, rate, phase = swing(place, rng)

    def joints(times: F64) -> F64:
        found: F64 = place.kinematics.home + amplitude * np.sin(np.outer(times, rate) + phase)
        return found

    times = np.arange(0.0, length, 1.0 / JOINTS)
    positions = joints(times)
    positions = positions + rng.normal(0.0, JOINT_NOISE, positions.shape)
    track = []
    for number, time in enumerate(np.arange(0.2, length - 0.2, 1.0 / CAMERA)):
        true = joints(np.array([time]))[0]
        with suppress(SensorError):
            seen: Detection = place.drawn(true, rng) if rendered else place.corners(true, CORNERS, rng)
            stamp = time - offset + rng.uniform(-CAMERA_JITTER, CAMERA_JITTER)
            track.append(Sample(f"{number}", seen, true, stamp))
    return track, times + rng.uniform(-JOINT_JITTER, JOINT_JITTER, len(times)), positions


def run(place: Cell, offset: float, rendered: bool, rng: np.random.Generator) -> TimeOffset:
    """One estimate, with a hand-eye calibration that is a little off."""
    turn, shift = WRONG
    camera, board = (
        moved(where, rng.normal(0.0, turn, 3), rng.normal(0.0, shift, 3))
        for where in (place.camera_place, place.board_place)
    )
    known = place.known(camera, board, WRONG)
    return estimate_time_offset(place.arm, place.camera, known, *recording(place, offset, rendered, rng))


def row(
    arm: str, setup: str, corners: str, offsets: Sequence[float], found: Sequence[TimeOffset]
) -> OffsetRow:
    """What came of it."""
    errors = np.array([one.offset for one in found]) - np.asarray(offsets)
    worst = float(np.abs(errors).max())
    return OffsetRow(
        arm=arm,
        setup=setup,
        corners=corners,
        offsets_ms=tuple((1e3 * np.asarray(offsets)).tolist()),
        errors_ms=tuple(np.round(1e3 * errors, 4).tolist()),
        worst_ms=1e3 * worst,
        within=int((np.abs(errors) <= PROMISED).sum()),
        sigma=float(np.sqrt(np.mean([(e / one.std) ** 2 for e, one in zip(errors, found, strict=True)]))),
        std_ms=1e3 * float(np.median([one.std for one in found])),
        rms_px=float(np.median([one.rms for one in found])),
        frames=int(np.median([one.frames for one in found])),
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rendered", type=int, default=1, help="recordings of each arm and set-up")
    parser.add_argument("--synthesised", type=int, default=24, help="likewise")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments, revision = parser.parse_args(), git_revision()
    rows: list[OffsetRow] = []
    for corners, count in (("synthesised", arguments.synthesised), ("rendered", arguments.rendered)):
        for arm in ARMS if count else ():
            for setup in SETUPS:
                places = [cell(arm, setup, "plumb_bob", seed) for seed in range(min(count, 4))]
                offsets = [OFFSETS[(seed + len(rows)) % len(OFFSETS)] for seed in range(count)]
                found = [
                    run(places[seed % 4], offset, corners == "rendered", np.random.default_rng(seed))
                    for seed, offset in enumerate(offsets)
                ]
                rows.append(row(arm, setup, corners, offsets, found))
                print(rows[-1].line(), flush=True)
                write(_table(rows, revision), arguments.out)


def _table(rows: Sequence[OffsetRow], revision: str) -> OffsetTable:
    return OffsetTable(
        git_revision=revision,
        opencv=cv2.__version__,
        promised_ms=1e3 * PROMISED,
        camera_hz=CAMERA,
        joints_hz=JOINTS,
        camera_jitter_ms=1e3 * CAMERA_JITTER,
        joint_jitter_ms=1e3 * JOINT_JITTER,
        rows=tuple(rows),
    )


if __name__ == "__main__":
    main()
