"""The page of a calibration: one HTML file that needs nothing else and says good, usable or redo, and why."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.collecting import detection_of
from loopwm_ros.calibration.overlay import annotated
from loopwm_ros.calibration.residuals import rms
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.shots import Shot
from loopwm_ros.calibration.verdict import WORDS, Verdict
from loopwm_ros.errors import CalibrationError
from loopwm_ros.processing.images import encode_image, shrink_image
from loopwm_ros.types import F64, U8
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.page import data_uri, environment

PICTURES = 24  # shown on a page, those left out and the worst first
WIDTH, QUALITY = 440, 70  # of a shown picture [px], of its JPEG
LEGEND = (
    "Corners are circled, the first one in orange; the lines are residuals, drawn a hundred times longer "
    "than they are. Those left out come first, then the worst."
)


@dataclass(frozen=True)
class Tile:
    """A headline figure."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table; with `words`, the last column is a sentence."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: bool = False


@dataclass(frozen=True)
class Shown:
    """A picture on the page."""

    name: str
    caption: str
    image: str
    out: bool


@dataclass(frozen=True)
class Page:
    """What a page says."""

    title: str
    lead: str
    verdict: Verdict
    tiles: Sequence[Tile]
    plots: Sequence[Mapping[str, str]]
    tables: Sequence[Table]
    pictures: Sequence[Shown]
    more_pictures: int
    facts: Sequence[tuple[str, str]]
    legend: str = LEGEND


def write_page(path: Path, page: Page) -> Path:
    """Write a page, whole or not at all.

    Raises:
        CalibrationError: it cannot be written.
    """
    template = environment("loopwm_ros.calibration").get_template("calibration.html.j2")
    try:
        return write_text_atomically(path, template.render(page=page, words=WORDS[page.verdict.grade]))
    except OSError as error:
        raise CalibrationError(
            f"cannot write {path}: {error.strerror}; make room, and finish again"
        ) from error


def shown_pictures(
    session: Session, residuals: Mapping[str, F64], dropped: Mapping[str, str]
) -> tuple[list[Shown], int]:
    """The pictures of a page, and how many are left out of it."""
    board = Board(session.settings.board)
    there = [shot for shot in session.shots if session.picture_path(shot.name).is_file()]
    worst = {name: rms(each) for name, each in residuals.items()}
    there.sort(key=lambda shot: (shot.name not in dropped, -worst.get(shot.name, 0.0)))
    shown = [
        _shown(session, board, shot, residuals.get(shot.name), dropped.get(shot.name))
        for shot in there[:PICTURES]
    ]
    return shown, len(there) - len(shown)


def dropped_table(dropped: Mapping[str, str]) -> list[Table]:
    """Samples left out, and why; nothing where all were used."""
    rows = sorted(dropped.items())
    return [Table("Left out", ("sample", "why"), rows, words=True)] if rows else []


def usual_facts(session: Session) -> list[tuple[str, str]]:
    """What every page says of its session."""
    board = session.settings.board
    kind = f", markers {1e3 * board.marker:g} mm, {board.dictionary}" if board.kind == "charuco" else ""
    return [
        ("board", f"{board.kind}, {board.columns} x {board.rows} squares of {1e3 * board.square:g} mm{kind}"),
        ("samples", f"{len(session.shots)} kept, {len(session.refusals)} pictures refused"),
        ("made", f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"),
        ("versions", f"OpenCV {cv2.__version__}, NumPy {np.__version__}, Python {platform.python_version()}"),
    ]


def _shown(session: Session, board: Board, shot: Shot, residuals: F64 | None, reason: str | None) -> Shown:
    seen = detection_of(board, shot)
    fits = residuals is not None and len(residuals) == len(seen.pixels)
    drawing = annotated(session.picture(shot.name), seen, shot.source, residuals if fits else None)
    caption = f"left out: {reason}" if residuals is None and reason else ""
    if residuals is not None:
        caption = f"RMS {rms(residuals):.2f} px, {len(residuals)} corners"
    return Shown(shot.name, caption, data_uri("image/jpeg", _small(drawing)), residuals is None)


def _small(image: U8) -> bytes:
    height = round(image.shape[0] * WIDTH / image.shape[1])
    return encode_image(shrink_image(image, WIDTH, height), QUALITY)
