"""The page as a printer sees it: drawn at a known resolution and measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from benchmarks.calibration.rendering import PAPER, checkerboard
from loopwm_ros.calibration import board_page
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.board_drawing import black_rectangles
from loopwm_ros.calibration.board_page import PAPERS, write_board_page
from loopwm_ros.config.calibration import BoardSettings
from loopwm_ros.errors import ConfigError

DPI = 254  # ten pixels a millimetre
MM = DPI / 25.4
BOARDS = {
    "charuco": BoardSettings(),
    "charuco, odd": BoardSettings(columns=5, rows=7, square=0.024, marker=0.017, dictionary="DICT_4X4_50"),
    "checkerboard": BoardSettings(kind="checkerboard", columns=7, rows=10, square=0.025),
}


def drawn(path: Path) -> np.ndarray:
    document = pypdfium2.PdfDocument(path)
    assert len(document) == 1
    image = document[0].render(scale=DPI / 72, grayscale=True).to_numpy()
    document.close()
    return np.ascontiguousarray(image.reshape(image.shape[:2]))


@pytest.mark.parametrize(
    ("name", "paper"), [("charuco", "A4"), ("charuco, odd", "Letter"), ("checkerboard", "A4")]
)
def test_the_board_is_found_on_the_page_and_to_scale(tmp_path: Path, name: str, paper: str) -> None:
    settings = BOARDS[name]
    write_board_page(settings, tmp_path / "board.pdf", paper)
    image = drawn(tmp_path / "board.pdf")
    sides = sorted(PAPERS[paper])
    assert sorted(image.shape) == pytest.approx([side * MM for side in sides], abs=1.0)
    board = Board(settings)
    seen = board.detect(image)
    assert len(seen.ids) == len(board.corners)
    design = np.column_stack([seen.points[:, :2], np.ones(len(seen.ids))])
    fit, *_ = np.linalg.lstsq(design, seen.pixels, rcond=None)
    # x to the right, y down, a millimetre each: the print is neither stretched nor turned
    np.testing.assert_allclose(fit[:2] / MM / 1e3, np.eye(2), atol=1e-3)
    assert np.abs(design @ fit - seen.pixels).max() / MM < 0.05


@pytest.mark.parametrize("along", [0, 1])
def test_rulers_measure_what_they_say(tmp_path: Path, along: int) -> None:
    settings = BoardSettings()
    write_board_page(settings, tmp_path / "board.pdf", "A4")
    image = drawn(tmp_path / "board.pdf")
    corner = Board(settings).detect(image).pixels[0] / MM - 1e3 * settings.square  # of the board [mm]
    if along == 0:
        line = (corner[1] + 180.0 + board_page.GAP + 2.6) * MM
        profile = image[round(line), :]
    else:
        line = (corner[0] - board_page.GAP - 2.6) * MM
        profile = image[:, round(line)]
    ink = 255.0 - profile.astype(float)
    starts = np.flatnonzero((ink[1:] > 0) & (ink[:-1] == 0)) + 1
    ticks = np.array([np.average(np.arange(s, s + 4), weights=ink[s : s + 4]) for s in starts]) / MM
    length = (240, 150)[along]  # of the last tick of 50 mm is 200 across, 150 down
    fifty = ticks[: {0: 5, 1: 4}[along]]
    assert np.diff(fifty) == pytest.approx(50.0, rel=1e-3)
    assert fifty[-1] - fifty[0] == pytest.approx(200.0 if along == 0 else length, rel=1e-3)
    assert fifty[0] + 0.05 == pytest.approx(corner[along], abs=0.1)


@pytest.mark.parametrize("name", BOARDS)
def test_what_is_drawn_is_what_opencv_draws(name: str) -> None:
    board = Board(BOARDS[name])
    columns, rows = BOARDS[name].columns, BOARDS[name].rows
    size = (columns * PAPER, rows * PAPER)
    expected = checkerboard(*size) if board.charuco is None else board.charuco.generateImage(size)
    made = np.full(expected.shape, 255, dtype=np.uint8)
    for left, top, right, bottom in np.round(black_rectangles(board) / BOARDS[name].square * PAPER).astype(
        int
    ):
        made[top:bottom, left:right] = 0
    assert np.mean(made != expected) < 0.01  # edges of bits, which OpenCV rounds


def test_a_board_that_does_not_fit_is_refused_with_the_largest_that_does(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"400 x 300 mm does not fit on A4.* square 0.0305") as error:
        write_board_page(BoardSettings(square=0.05), tmp_path / "board.pdf", "A4")
    assert not (tmp_path / "board.pdf").exists()
    assert "30.5 mm" in str(error.value)
    write_board_page(BoardSettings(square=0.0305), tmp_path / "board.pdf", "A4")
    with pytest.raises(ConfigError, match="does not fit"):
        write_board_page(BoardSettings(square=0.0306), tmp_path / "board.pdf", "A4")


def test_papers_and_paths_that_are_not_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown paper 'A9'; valid: A0"):
        write_board_page(BoardSettings(), tmp_path / "board.pdf", "A9")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot write .*file"):
        write_board_page(BoardSettings(), tmp_path / "file" / "board.pdf", "A4")


def test_a_page_takes_the_place_of_the_old_one_at_once(tmp_path: Path) -> None:
    path, old = tmp_path / "board.pdf", tmp_path / "old.pdf"
    write_board_page(BoardSettings(), path, "A4")
    before = path.read_bytes()
    old.hardlink_to(path)
    write_board_page(BoardSettings(), path, "A3")
    assert old.read_bytes() == before, "the file was written over, and would be damaged if that ended early"
    assert path.read_bytes() != before


def test_the_page_says_its_settings(tmp_path: Path) -> None:
    write_board_page(BOARDS["charuco, odd"], tmp_path / "board.pdf", "A4")
    document = pypdfium2.PdfDocument(tmp_path / "board.pdf")
    text = document[0].get_textpage().get_text_range()
    document.close()
    assert "columns: 5, rows: 7, square: 0.024, marker: 0.017, dictionary: DICT_4X4_50" in text
    assert "150 mm" in text
