"""The steps of a calibration: from a source of pictures to a finished session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from rich.console import Console

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.board_page import write_board_page
from loopwm_ros.calibration.camera_info import read_camera_info
from loopwm_ros.calibration.collecting import Collector, Looker
from loopwm_ros.calibration.finishing import (
    Result,
    finish_hand_eye,
    finish_intrinsics,
    finish_time,
    read_result,
    samples_of,
)
from loopwm_ros.calibration.guessing import poses_to_show
from loopwm_ros.calibration.hand_eye_files import read_hand_eye
from loopwm_ros.calibration.lookers import LensLooker, PoseLooker, TrackLooker
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.shots import SessionSettings
from loopwm_ros.calibration.sources import Picture, folder_pictures, read_recordings, standing
from loopwm_ros.calibration.verdict import Grade
from loopwm_ros.cli.calibrate_run import Guide, take_all
from loopwm_ros.cli.calibrate_screen import print_collected, print_result
from loopwm_ros.config import ArmConfig, load_arm, load_settings, share_dir
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye, Lens, Setup
from loopwm_ros.data import topics
from loopwm_ros.errors import CalibrationError, ConfigError, choices
from loopwm_ros.types import F64
from loopwm_ros.validation.certificate import arm_sha256, settings_sha256
from loopwm_ros.validation.files import write_text_atomically


@dataclass(frozen=True)
class Source:
    """Where pictures come from: one of three, or none."""

    images: Path | None
    bag: Path | None
    live: bool
    topic: str
    seconds: float

    def check(self) -> None:
        """Refuse more than one."""
        named = [name for name in ("images", "bag", "live") if getattr(self, name)]
        if len(named) > 1:
            raise ConfigError(f"--{' and --'.join(named)} exclude each other; give one of them")


@dataclass(frozen=True)
class Takes:
    """How a session's samples are taken."""

    source: Source
    undo: tuple[str, ...]
    keep_refused: bool


@dataclass(frozen=True)
class ArmJob:
    """What hand-eye and time calibration are about."""

    arm: ArmConfig
    camera: CameraModel
    board: BoardSettings
    setup: Setup
    guess: HandEye | None

    @classmethod
    def load(cls, arm: str, camera: Path, board: str, setup: Setup | None, guess: Path | None) -> ArmJob:
        """From names and files; without `setup`, that of `guess`.

        Raises:
            ConfigError: a file is missing or not valid, or is of another arm or setup.
        """
        known = None if guess is None else read_hand_eye(guess)
        settings = load_arm(arm)
        if known is not None and known.arm != settings.name:
            raise ConfigError(f"{guess} is of arm '{known.arm}', not of '{settings.name}'")
        if known is not None and setup not in (None, known.setup):
            raise ConfigError(f"{guess} has setup {known.setup}; --setup says {setup}")
        chosen = setup if known is None or setup is not None else known.setup
        assert chosen is not None
        return cls(settings, read_camera_info(camera), load_board(board), chosen, known)

    def settings(self, step: str) -> SessionSettings:
        """Of a session of this arm and camera."""
        return SessionSettings(
            step="time" if step == "time" else "hand_eye",
            board=self.board,
            arm_sha256=arm_sha256(self.arm),
            camera_sha256=settings_sha256(self.camera),
            setup=self.setup,
        )


def load_board(name: str) -> BoardSettings:
    """A board, ours by name or the user's by path.

    Raises:
        ConfigError: there is none, or it is not valid.
    """
    if name.endswith((".yaml", ".yml")):
        return load_settings(Path(name), BoardSettings)
    folder = share_dir() / "calibration" / "boards"
    there = {path.stem: path for path in folder.glob("*.yaml")}
    if name not in there:
        raise choices("board", name, [*there, "a path to a .yaml file"])
    return load_settings(there[name], BoardSettings)


def make_board(out: Path, values: dict[str, Any], paper: str) -> list[Path]:
    """Write a board's PDF, and its settings beside it.

    Raises:
        ConfigError: it fits neither paper nor dictionary, or cannot be written.
    """
    if out.suffix.lower() != ".pdf":
        raise ConfigError(f"--out {out} must end in .pdf")
    try:
        settings = BoardSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"no such board: {'.'.join(map(str, first['loc']))} {first['msg']}") from error
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_board_page(settings, out, paper)
        text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
        return [out, write_text_atomically(out.with_suffix(".yaml"), text)]
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}") from error


def run_intrinsics(out: Path, takes: Takes, board: str, lens: Lens, name: str) -> Grade:
    """Take pictures and calibrate a lens."""
    settings = SessionSettings(step="intrinsics", board=load_board(board), lens=lens)

    def pictures(source: Source) -> list[Picture]:
        if source.images is not None:
            return folder_pictures(source.images)
        assert source.bag is not None
        return [each for found in read_recordings(source.bag, source.topic) for each in found.pictures]

    looker = LensLooker(Board(settings.board))
    step = _Step(out, settings, takes, looker, f"lens of {name}")
    return step.run(pictures, None, lambda session: finish_intrinsics(session, name))


def run_hand_eye(out: Path, takes: Takes, job: ArmJob, joint_offsets: bool) -> Grade:
    """Take samples and find the camera."""

    def pictures(source: Source) -> list[Picture]:
        if source.images is not None:
            return folder_pictures(source.images, job.arm)
        assert source.bag is not None
        return [each for found in read_recordings(source.bag, source.topic, job.arm) for each in standing(found)]

    looker = PoseLooker(Board(job.board), job.arm, job.camera)
    step = _Step(out, job.settings("hand_eye"), takes, looker, f"hand-eye of {job.arm.name}", _Suggester(job))
    return step.run(
        pictures, job.arm, lambda session: finish_hand_eye(session, job.arm, job.camera, joint_offsets)
    )


def run_time(out: Path, job: ArmJob, bag: Path, topic: str) -> Grade:
    """Find the time offset from a recording."""
    assert job.guess is not None
    known = job.guess
    recordings = read_recordings(bag, topic, job.arm)
    if len(recordings) != 1:
        raise CalibrationError(f"{bag} holds {len(recordings)} recordings; expected one, the clocks' own")
    (recording,) = recordings
    takes = Takes(Source(None, bag, False, topic, 0.0), (), False)
    step = _Step(out, job.settings("time"), takes, TrackLooker(Board(job.board), job.camera), "time", copy=False)
    return step.run(
        lambda _: recording.pictures,
        job.arm,
        lambda session: finish_time(session, job.arm, job.camera, known, recording.joints),
    )
