"""What a calibration session holds, as its files have it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loopwm_ros.config.base import Settings
from loopwm_ros.config.calibration import BoardSettings, Lens, Setup
from loopwm_ros.validation.statistics import Record

Step = Literal["intrinsics", "hand_eye", "time"]


class SessionSettings(Settings):
    """What a session is for: samples of other settings do not belong to it."""

    step: Step
    board: BoardSettings
    lens: Lens | None = None
    arm: str | None = None
    size: tuple[int, int] | None = Field(None, description="of pictures, where a camera model is used [px]")
    setup: Setup | None = None


class Shot(Record):
    """One accepted picture and what was seen in it."""

    name: str = Field("0000", pattern=r"^\d{4,9}$", description="of its file, without suffix")
    source: str = Field(description="where the picture came from")
    size: tuple[int, int] = Field(description="width and height [px]")
    sharpness: float = 0.0
    stamp: float = Field(0.0, description="camera's clock [s]")
    joints: tuple[float, ...] = Field((), description="at the stamp [rad]")
    ids: tuple[int, ...] = Field(description="of the board's corners")
    pixels: tuple[tuple[float, float], ...]


class Refusal(Record):
    """One picture that was not accepted."""

    source: str
    reason: str


class Line(Record):
    """A line of samples.jsonl: one of the three."""

    kept: Shot | None = None
    undone: str | None = Field(None, description="name of the sample")
    refused: Refusal | None = None
