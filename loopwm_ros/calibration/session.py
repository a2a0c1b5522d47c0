"""A calibration's folder: settings, pictures and samples, each on the disk as soon as it is accepted.

`samples.jsonl` is only ever appended to, so a session that was ended in any way goes on where it was.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from loopwm_ros.calibration.pictures import read_picture, write_picture
from loopwm_ros.calibration.shots import Line, Refusal, SessionSettings, Shot
from loopwm_ros.config.outside import read_bounded
from loopwm_ros.errors import CalibrationError
from loopwm_ros.types import U8
from loopwm_ros.validation.files import write_text_atomically

SETTINGS, SAMPLES = "session.json", "samples.jsonl"
PICTURES, UNDONE, REFUSED = "pictures", "undone", "refused"
MAX_BYTES = 2**28  # of samples.jsonl
ModelT = TypeVar("ModelT", bound=BaseModel)


class Session:
    """One session; a second process cannot open it."""

    def __init__(self, folder: Path, settings: SessionSettings) -> None:
        """Begin one, or go on with the one that is there.

        Raises:
            CalibrationError: the folder holds a session of other settings, a damaged one, or one in use.
        """
        self.folder, self.settings = folder, settings
        self.shots: list[Shot] = []
        self.refusals: list[Refusal] = []
        self.seen: set[str] = set()  # sources that are done with: kept, undone or refused
        self.damage = ""  # what was lost, and is not missed: a last line that was cut short
        self._last = 0  # highest number given
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / SAMPLES).open("ab", buffering=0)
        try:
            self._lock()
            self._begin()
            self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others open it."""
        self._file.close()

    def keep(self, image: U8 | None, shot: Shot) -> Shot:
        """Write a picture, (height, width) or (height, width, 3) RGB, and its sample, which gets a name.

        No picture is written where it is None: it is elsewhere already, in a recording.

        Raises:
            CalibrationError: there is no room; the sample is not kept, all before are.
        """
        named = shot.model_copy(update={"name": f"{self._last + 1:04d}"})
        if image is not None:
            with self._writing():
                write_picture(self.picture_path(named.name), image)
        self._append(Line(kept=named))
        return named

    def undo(self, name: str | None = None) -> Shot:
        """Take a sample back, the last one by default; its picture is moved aside.

        Raises:
            CalibrationError: there is none.
        """
        found = [shot for shot in self.shots if name in (None, shot.name)]
        if not found:
            there = ", ".join(shot.name for shot in self.shots) or "none"
            raise CalibrationError(f"there is no sample {name or 'to undo'}; in {self.folder} are: {there}")
        self._append(Line(undone=found[-1].name))
        with self._writing():
            self._set_aside(found[-1].name)
        return found[-1]

    def refuse(self, source: str, reason: str, image: U8 | None = None) -> None:
        """Note why a picture was refused; with `image`, keep it."""
        self._append(Line(refused=Refusal(source=source, reason=reason)))
        if image is not None:
            self.write(f"{REFUSED}/{len(self.refusals):04d}.png", image)

    def write(self, name: str, image: U8) -> Path:
        """Write a picture to a file of the session's folder, whole or not at all.

        Raises:
            CalibrationError: there is no room.
        """
        with self._writing():
            return write_picture(self.folder / name, image)

    def picture_path(self, name: str) -> Path:
        """Where a sample's picture is."""
        return self.folder / PICTURES / f"{name}.png"

    def picture(self, name: str) -> U8:
        """A sample's picture, RGB (height, width, 3).

        Raises:
            CalibrationError: it is missing or damaged.
        """
        return read_picture(self.picture_path(name))

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CalibrationError(
                f"another process works in {self.folder}; end it, or choose another --out"
            ) from error

    def _begin(self) -> None:
        path = self.folder / SETTINGS
        if not path.exists():
            with self._writing():
                write_text_atomically(path, self.settings.model_dump_json(indent=2) + "\n")
            return
        found = read_settings(self.folder)
        if found != self.settings:
            other = ", ".join(name for name, value in self.settings if getattr(found, name) != value)
            raise CalibrationError(
                f"{self.folder} is a session with another {other}; choose the same settings or another --out"
            )

    def _read(self) -> None:
        path = self.folder / SAMPLES
        whole, end, cut = read_bounded(path, MAX_BYTES).rpartition(b"\n")
        lines = whole.split(b"\n") if end else []
        if cut:
            os.truncate(path, len(whole) + len(end))
            self.damage = f"{path}: the last line was cut short and is dropped; {len(lines)} lines are whole"
        for number, line in enumerate(lines, 1):
            self._take_in(_parsed(line, Line, f"{path}, line {number}"))
        for name in sorted(self._pictures() - {shot.name for shot in self.shots}):
            self._set_aside(name)

    def _pictures(self) -> set[str]:
        """Those there are; some have no sample where `keep` or `undo` was ended between its two steps."""
        return {path.stem for path in (self.folder / PICTURES).glob("*.png") if path.stem.isdecimal()}

    def _set_aside(self, name: str) -> None:
        if (path := self.picture_path(name)).exists():
            (self.folder / UNDONE).mkdir(exist_ok=True)
            path.replace(self.folder / UNDONE / path.name)

    def _take_in(self, line: Line) -> None:
        if line.kept is not None:
            self.shots.append(line.kept)
            self.seen.add(line.kept.source)
            self._last = max(self._last, int(line.kept.name))
        if line.undone is not None:
            self.shots = [shot for shot in self.shots if shot.name != line.undone]
        if line.refused is not None:
            self.refusals.append(line.refused)
            self.seen.add(line.refused.source)

    def _append(self, line: Line) -> None:
        """A line, on the disk when this returns; what a full disk took of it is cut off again."""
        data = line.model_dump_json(exclude_defaults=True).encode() + b"\n"
        before = os.fstat(self._file.fileno()).st_size
        with self._writing():
            try:
                if self._file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._file.fileno())
            except BaseException:
                os.ftruncate(self._file.fileno(), before)
                raise
        self._take_in(line)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CalibrationError(
                f"cannot write to {self.folder}: {error.strerror}; the {len(self.shots)} samples before are "
                "safe: make room, then start the same command again, and it goes on"
            ) from error


def read_settings(folder: Path) -> SessionSettings:
    """Settings of a session that is there.

    Raises:
        CalibrationError: there is none, or it is damaged.
    """
    path = folder / SETTINGS
    try:
        return _parsed(read_bounded(path), SessionSettings, str(path))
    except OSError as error:
        raise CalibrationError(f"no calibration session in {folder}: {error.strerror}") from error


def _parsed(data: bytes, kind: type[ModelT], where: str) -> ModelT:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"])) or "the whole"
        raise CalibrationError(
            f"{where} is damaged: {at}: {first['msg']}; mend or remove it, or choose another --out"
        ) from error
