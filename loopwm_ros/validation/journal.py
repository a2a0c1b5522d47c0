"""What a validation has done so far: a line for each episode, so that it goes on where it was ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import Field, ValidationError

from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.measured_motion import Extremes, FaultScore
from loopwm_ros.validation.statistics import Record
from loopwm_ros.validation.summary import EpisodeResult, Measurements
from loopwm_ros.validation.trace import EpisodeRun

FILE = "episodes.jsonl"
DIGITS = 5  # of metres and newtons


class Identity(Record):
    """What is validated: episodes of another one do not count."""

    bundle_sha256: str
    arm_sha256: str
    task_sha256: str
    suite_sha256: str
    git_revision: str


class EpisodeRecord(Record):
    """One episode of one part, with all that is judged."""

    part: str
    result: EpisodeResult
    gaps: dict[str, dict[int, tuple[float, ...]]] = Field(
        default={}, description="by point and step ahead [m], of joints [rad]"
    )
    gate_periods: int = 0
    altered_periods: int = 0
    altered: dict[str, int] = Field(default={})
    thing_forces: tuple[float, ...] = Field((), description="of servo periods with contact [N]")
    table_forces: tuple[float, ...] = ()
    motion: Extremes | None = None
    fault: FaultScore | None = None
    simulated_s: float = 0.0
    wall_s: float = 0.0


def record(part: str, episode: EpisodeRun, measured: Measurements) -> EpisodeRecord:
    """What is kept of an episode and of what was measured in it."""
    return EpisodeRecord(
        part=part,
        result=episode.result,
        gaps={
            name: {step: _rounded(values) for step, values in steps.items()}
            for name, steps in measured.gaps.items()
        },
        gate_periods=measured.gate_periods,
        altered_periods=measured.altered_periods,
        altered=dict(measured.altered),
        thing_forces=_rounded(measured.thing_forces),
        table_forces=_rounded(measured.table_forces),
        motion=episode.motion,
        fault=episode.fault,
        simulated_s=measured.simulated,
        wall_s=measured.wall,
    )


def _rounded(values: list[float]) -> tuple[float, ...]:
    return tuple(round(value, DIGITS) for value in values)


Line = TypeVar("Line", bound=Record)


def read_lines(path: Path, identity: Record, kind: type[Line]) -> list[Line] | None:
    """The whole lines of a file after the one that says what it belongs to; None without that one.

    Raises:
        ConfigError: the file is of another run, or damaged.
    """
    whole, end, _ = path.read_bytes().rpartition(b"\n") if path.exists() else (b"", b"", b"")
    if not end:
        return None
    first, *lines = whole.split(b"\n")
    try:
        found = type(identity).model_validate_json(first)
        read = [kind.model_validate_json(line) for line in lines]
    except ValidationError as error:
        raise ConfigError(
            f"{path} is damaged: {error.errors()[0]['msg']}; remove it to begin anew"
        ) from error
    if found != identity:
        differing = [name for name, value in identity if getattr(found, name) != value]
        raise ConfigError(
            f"{path} belongs to a run with another {', '.join(differing)}; "
            "choose another --out, or remove that file to begin anew"
        )
    return read


class Lines(Generic[Line]):
    """Appends to a file of JSON lines whose first line is the identity of the run that it belongs to."""

    def __init__(self, path: Path, identity: Record, kind: type[Line]) -> None:
        """Read what is there, lines of one kind; a last one that was cut short is dropped.

        Raises:
            ConfigError: the file is of another run, or damaged.
        """
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        read = read_lines(path, identity, kind)
        if read is None:
            path.write_text(identity.model_dump_json() + "\n", encoding="utf-8")
        else:
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
        self.records: list[Line] = read or []

    def add(self, made: Line) -> None:
        """Keep a line, on the disk at once."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(made.model_dump_json() + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.records.append(made)


class Journal(Lines[EpisodeRecord]):
    """The episodes of a validation."""

    def __init__(self, path: Path, identity: Identity) -> None:
        """Read what is there, as `Lines` does.

        Raises:
            ConfigError: the file is of another validation, or damaged.
        """
        super().__init__(path, identity, EpisodeRecord)

    def done(self, part: str) -> set[int]:
        """Episodes of a part that are over, by index."""
        return {made.result.index for made in self.records if made.part == part}
