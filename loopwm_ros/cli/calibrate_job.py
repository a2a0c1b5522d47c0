"""What a `loopwm calibrate` command was told: sources, boards, arms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from loopwm_ros.calibration.board_page import write_board_page
from loopwm_ros.calibration.camera_info import read_camera_info
from loopwm_ros.calibration.easy_hand_eye import SUFFIX
from loopwm_ros.calibration.finishing import focal_std_beside
from loopwm_ros.calibration.guessing import guess_from_easy
from loopwm_ros.calibration.hand_eye_files import check_lens, read_hand_eye
from loopwm_ros.calibration.shots import SessionSettings
from loopwm_ros.config import ArmConfig, load_arm, load_settings, share_dir
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye, Setup
from loopwm_ros.data.topics import PACKED
from loopwm_ros.errors import ConfigError, choices
from loopwm_ros.validation.files import write_text_atomically


@dataclass(frozen=True)
class Source:
    """Where pictures come from: one of three, or none."""

    images: Path | None
    bag: Path | None
    live: bool
    topic: str
    seconds: float

    @property
    def recorded(self) -> Path:
        """The recording."""
        assert self.bag is not None
        return self.bag

    @property
    def raw(self) -> str:
        """The topic of raw pictures, of which a recording may hold the compressed ones."""
        return self.topic.removesuffix(PACKED)

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
    focal_std: float  # of the camera's focal length, as a share of it

    @classmethod
    def sought(cls, arm: str, camera: Path, board: str, setup: Setup, guess: Path | None) -> ArmJob:
        """From names and files, before the camera's place is known; `guess`: hand_eye.yaml or a .calib.

        Raises:
            ConfigError: a file is missing or not valid, or is of another arm or setup.
        """
        settings, layout = load_arm(arm), load_board(board)
        known = None
        if guess is not None:
            theirs = guess.suffix == SUFFIX
            known = guess_from_easy(guess, settings, layout) if theirs else _of_arm(guess, settings)
        if known is not None and known.setup != setup:
            raise ConfigError(f"{guess} has setup {known.setup}; --setup says {setup}")
        return cls(settings, read_camera_info(camera), layout, setup, known, focal_std_beside(camera))

    @classmethod
    def placed(cls, arm: str, camera: Path, board: str, hand_eye: Path) -> ArmJob:
        """From names and files, with the camera's place.

        Raises:
            ConfigError: a file is missing or not valid, or is of another arm.
            MismatchError: the place was found through another camera.
        """
        settings, model = load_arm(arm), read_camera_info(camera)
        known = _of_arm(hand_eye, settings)
        check_lens(known, str(hand_eye), model, str(camera))
        return cls(settings, model, load_board(board), known.setup, known, focal_std_beside(camera))

    def settings(self, step: str) -> SessionSettings:
        """Of a session of this arm and camera."""
        return SessionSettings(
            step="time" if step == "time" else "hand_eye",
            board=self.board,
            arm=self.arm.name,
            size=(self.camera.width, self.camera.height),
            setup=self.setup,
        )


def _of_arm(path: Path, arm: ArmConfig) -> HandEye:
    found = read_hand_eye(path)
    if found.arm != arm.name:
        raise ConfigError(f"{path} is of arm '{found.arm}', not of '{arm.name}'")
    return found


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
        what = ".".join(map(str, first["loc"])) or "settings"
        raise ConfigError(f"no such board: {what}: {first['msg']}") from error
    try:
        write_board_page(settings, out, paper)
        text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
        return [out, write_text_atomically(out.with_suffix(".yaml"), text)]
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}") from error
