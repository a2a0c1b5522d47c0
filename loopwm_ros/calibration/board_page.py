"""A board as a page to print, to scale, with rulers that tell whether the printer kept to it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.board_drawing import black_rectangles
from loopwm_ros.config.calibration import BoardSettings
from loopwm_ros.errors import ConfigError, choices
from loopwm_ros.types import F64
from loopwm_ros.validation.files import write_bytes_atomically

PAPERS: dict[str, tuple[float, float]] = {  # short and long side [mm]
    "A5": (148.0, 210.0),
    "A4": (210.0, 297.0),
    "A3": (297.0, 420.0),
    "A2": (420.0, 594.0),
    "A1": (594.0, 841.0),
    "A0": (841.0, 1189.0),
    "Letter": (215.9, 279.4),
    "Legal": (215.9, 355.6),
    "Tabloid": (279.4, 431.8),
}
INCH = 25.4  # [mm]
EDGE = 5.0  # that printers leave blank [mm]
GAP = 3.0  # white between board and rulers [mm]
RULER = 6.0  # its width, with numbers [mm]
TEXT = 8.0  # height of the words [mm]
TICKS = {50: 3.0, 10: 2.2, 5: 1.5, 1: 0.9}  # length of every so manieth millimetre's tick [mm]
TICK = 0.1  # thickness [mm]
LETTERS = FontProperties(family="DejaVu Sans", size=5.5)  # comes with matplotlib


@dataclass(frozen=True)
class _Layout:
    """Of a page; x to the right and y down from its upper left corner [mm]."""

    paper: str
    page: F64  # (2,)
    board: F64  # its size, (2,)
    corner: F64  # its upper left, (2,)


def write_board_page(settings: BoardSettings, path: Path, paper: str) -> None:
    """Write a PDF of one page: the board, rulers across and down, and the settings that go with it.

    Raises:
        ConfigError: no such paper or dictionary, the board is larger than the paper, or `path` cannot be
            written.
    """
    board, layout = Board(settings), _layout(settings, paper)
    figure = Figure(figsize=tuple(layout.page / INCH))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0.0, layout.page[0]), ylim=(layout.page[1], 0.0))
    axes.set_axis_off()
    _fill(axes, np.tile(layout.corner, 2) + 1e3 * black_rectangles(board))
    for along in (0, 1):
        _ruler(axes, layout, along)
    foot = float(layout.corner[0]), float(layout.page[1]) - EDGE
    axes.text(*foot, _words(settings, layout), ha="left", va="bottom", linespacing=1.15, font=LETTERS)
    about = {"Title": "Calibration board", "Creator": "loopwm calibrate board", "CreationDate": None}
    page = BytesIO()
    with rc_context({"pdf.fonttype": 42}):
        figure.savefig(page, format="pdf", metadata=about)
    try:
        write_bytes_atomically(path, page.getvalue())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def _layout(settings: BoardSettings, paper: str) -> _Layout:
    """The board in the middle of what is left of the paper, upright or lying."""
    if paper not in PAPERS:
        raise choices("paper", paper, PAPERS)
    first, room = np.array([EDGE + RULER + GAP, EDGE]), np.array([EDGE, GAP + RULER + TEXT + EDGE])
    count = np.array([settings.columns, settings.rows])
    pages = [np.array(PAPERS[paper]), np.array(PAPERS[paper][::-1])]
    largest = [float(np.min((page - first - room) / count)) for page in pages]
    best = int(np.argmax(largest))
    size = 1e3 * settings.square * count
    if 1e3 * settings.square > largest[best] + 1e-9:
        fits = np.floor(10.0 * largest[best]) / 10.0
        raise ConfigError(
            f"a board of {size[0]:g} x {size[1]:g} mm does not fit on {paper}; with {count[0]} x {count[1]} "
            f"squares they can be {fits:g} mm at most: take square {fits / 1e3:g}, or larger paper"
        )
    corner = first + (pages[best] - first - room - size) / 2
    return _Layout(paper, pages[best], size, corner)


def _ruler(axes: Axes, layout: _Layout, along: int) -> None:
    """Below the board (along 0) or left of it (along 1), in whole steps of 10 mm."""
    length = int(layout.board[along] // 10 * 10)
    origin = layout.corner + np.array([0.0, layout.board[1] + GAP] if along == 0 else [-GAP, 0.0])
    away = np.array([0.0, 1.0] if along == 0 else [-1.0, 0.0])
    ticks = []
    for millimetre in range(length + 1):
        at = origin + millimetre * np.eye(2)[along]
        reach = next(size for step, size in TICKS.items() if millimetre % step == 0)
        ends = np.array([at, at + reach * away])
        half = TICK / 2 * np.eye(2)[along]
        ticks.append(np.concatenate([ends.min(axis=0) - half, ends.max(axis=0) + half]))
        if millimetre % 50 == 0 or millimetre == length:
            _number(axes, at + (TICKS[50] + 0.4) * away, millimetre, along)
    _fill(axes, np.array(ticks))


def _number(axes: Axes, at: F64, millimetre: int, along: int) -> None:
    words, x, y = f"{millimetre} mm" if millimetre else "0", float(at[0]), float(at[1])
    if along == 0:
        axes.text(x, y, words, ha="center", va="top", font=LETTERS)
    else:
        axes.text(x, y, words, ha="right", va="center", rotation=90, font=LETTERS)


def _fill(axes: Axes, rectangles: F64) -> None:
    """Black; one outline for all, for else viewers show seams where rectangles abut."""
    x0, y0, x1, y1 = rectangles.T
    corners = np.stack([x0, y0, x1, y0, x1, y1, x0, y1, x0, y0], axis=1).reshape(-1, 2)
    codes = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.LINETO, Outline.CLOSEPOLY]
    outline = Outline(corners, codes * len(rectangles))
    axes.add_patch(PathPatch(outline, facecolor="black", edgecolor="none", linewidth=0.0))


def _words(settings: BoardSettings, layout: _Layout) -> str:
    kind = f"kind: {settings.kind}, columns: {settings.columns}, rows: {settings.rows}"
    sides = f"square: {settings.square:g}"
    if settings.kind == "charuco":
        sides += f", marker: {settings.marker:g}, dictionary: {settings.dictionary}"
    return (
        f"Print on {layout.paper} at 100 % (actual size), glue it to something flat, measure both rulers.\n"
        f"Settings for loopwm calibrate: {{{kind}, {sides}}}\n"
        "If 100 mm measure M mm, multiply square and marker by M/100; if the rulers differ, print anew."
    )
