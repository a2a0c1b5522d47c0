"""Views are taken as they are of use, and refused with the reason."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.coverage import GRID
from loopwm_ros.calibration.sharpness import edge_width
from loopwm_ros.calibration.views import MAX_VIEWS, Views
from loopwm_ros.config.calibration import BoardSettings
from loopwm_ros.errors import SensorError
from tests.shoots import CHARUCO, CHECKERBOARD, SHARP, WEBCAM, flat_on, shots, studio


@pytest.fixture
def taken() -> Views:
    views = Views(Board(CHARUCO))
    for shot in shots(CHARUCO, WEBCAM, 3):
        views.add(shot.name, shot.image)
    return views


@pytest.fixture(scope="module")
def flat() -> np.ndarray:
    return studio(CHARUCO, WEBCAM).picture(flat_on(0.45), SHARP, np.random.default_rng(0))


def test_a_view_says_what_was_seen(flat: np.ndarray) -> None:
    views = Views(Board(CHARUCO))
    colour = np.repeat(flat[..., None], 3, axis=2)
    view = views.add("first", colour)
    assert (view.name, view.size, views.views) == ("first", (640, 480), (view,))
    assert len(view.detection.ids) == 35
    assert 1.0 < view.sharpness < 3.0


@pytest.mark.parametrize("settings", [CHARUCO, CHECKERBOARD], ids=["charuco", "checkerboard"])
def test_edges_widen_with_blur(settings: BoardSettings) -> None:
    board, pose = Board(settings), flat_on(0.4)
    image = studio(settings, WEBCAM).picture(pose, SHARP, np.random.default_rng(0))
    seen = board.detect(image)
    widths = [edge_width(board, cv2.GaussianBlur(image, (0, 0), sigma), seen) for sigma in (1.0, 2.0, 4.0)]
    # 10 to 90 % of a step under a Gaussian are 2.56 sigma wide, and the picture has some blur of its own
    assert widths[0] == pytest.approx(2.56 * np.hypot(1.0, 0.65), rel=0.1)
    assert widths[1] == pytest.approx(2.56 * np.hypot(2.0, 0.65), rel=0.15)
    assert widths[2] > 1.3 * widths[1]


def test_edge_width_is_opencv_s_sharpness() -> None:
    board = Board(CHECKERBOARD)
    image = studio(CHECKERBOARD, WEBCAM).picture(flat_on(0.4), SHARP, np.random.default_rng(0))
    blurred = cv2.GaussianBlur(image, (0, 0), 1.5)
    seen = board.detect(blurred)
    corners = seen.pixels.astype(np.float32).reshape(-1, 1, 2)
    sharpness, _ = cv2.estimateChessboardSharpness(blurred, board.shape, corners)
    assert edge_width(board, blurred, seen) == pytest.approx(sharpness[0], rel=0.15)


def test_a_blurred_view_is_refused_with_numbers(taken: Views) -> None:
    image = cv2.GaussianBlur(shots(CHARUCO, WEBCAM, 5)[4].image, (0, 0), 2.0)
    with pytest.raises(SensorError, match=r"late is blurred: edges [56]\.\d px wide, 4\.0 px at most"):
        taken.add("late", image)
    assert len(taken.views) == 3


def test_a_view_like_another_is_refused_and_the_other_named(taken: Views) -> None:
    image = shots(CHARUCO, WEBCAM, 2)[1].image
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    with pytest.raises(
        SensorError, match=r"again shows the same as good 1: corners moved by 0\.\d px, at least 8"
    ):
        taken.add("again", noisy)
    moved = studio(CHARUCO, WEBCAM).picture(flat_on(0.45, x=0.02), SHARP, np.random.default_rng(0))
    assert taken.add("moved", moved) is taken.views[-1]


def test_other_sizes_names_and_nonsense_are_refused(taken: Views, flat: np.ndarray) -> None:
    with pytest.raises(SensorError, match="small has 320x240 pixels; expected 640x480"):
        taken.add("small", cv2.resize(flat, (320, 240)))
    with pytest.raises(SensorError, match="a view named good 0 already"):
        taken.add("good 0", flat)
    with pytest.raises(SensorError, match="wall: no board is seen"):
        taken.add("wall", np.full_like(flat, 100))
    for image in (
        flat.astype(np.float32),
        flat[None],
        np.zeros((0, 5), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
    ):
        with pytest.raises(SensorError, match=r"odd is no picture.*expected uint8, grey or RGB"):
            taken.add("odd", image)
    with pytest.raises(SensorError, match="5000x10 pixels; at most 4096 a side"):
        Views(Board(CHARUCO)).add("long", np.zeros((10, 5000), np.uint8))
    with pytest.raises(SensorError, match="flat has 640x480 pixels; expected 800x600"):
        Views(Board(CHARUCO), (800, 600)).add("flat", flat)
    assert len(taken.views) == 3


def test_the_last_view_is_taken_back(taken: Views, flat: np.ndarray) -> None:
    before = taken.coverage()
    view = taken.add("extra", flat)
    assert taken.coverage().grid.sum() == before.grid.sum() + 35
    assert taken.undo() is view
    np.testing.assert_array_equal(taken.coverage().grid, before.grid)
    for _ in range(3):
        taken.undo()
    with pytest.raises(SensorError, match="no view to take back"):
        taken.undo()
    half = cv2.resize(flat, (800, 600))
    assert taken.add("another size", half).size == (800, 600)


def test_there_is_an_end_to_views(taken: Views, flat: np.ndarray) -> None:
    taken._views.extend(taken._views[:1] * (MAX_VIEWS - 3))
    with pytest.raises(SensorError, match="500 views are taken"):
        taken.add("last", flat)


def test_coverage_fills_and_says_what_is_missing(flat: np.ndarray) -> None:
    views, rng = Views(Board(CHARUCO)), np.random.default_rng(0)
    nothing = views.coverage()
    assert (nothing.x, nothing.size, nothing.complete, nothing.grid.shape) == (0.0, 0.0, False, GRID)
    assert "take 10 more views" in nothing.hint()
    views.add("far", studio(CHARUCO, WEBCAM).picture(flat_on(0.6, x=-0.2, y=-0.12), SHARP, rng))
    first = views.coverage()
    assert (first.x, first.y) == (0.0, 0.0)
    assert 0.0 < first.size < 1.0
    assert first.skew < 0.5  # some of it by the lens
    assert "tilt it more" in first.hint()
    assert "move it to the right" in first.hint()
    assert "move it to the bottom" in first.hint()
    views.add("right", studio(CHARUCO, WEBCAM).picture(flat_on(0.6, x=0.2, y=0.12), SHARP, rng))
    second = views.coverage()
    assert second.x > 0.7
    assert second.y > 0.7
    for shot in shots(CHARUCO, WEBCAM, 20):
        views.add(shot.name, shot.image)
    last = views.coverage()
    assert (last.x, last.y, last.size, last.skew) == (1.0, 1.0, 1.0, 1.0)
    assert last.hint() == ("enough is seen" if last.complete else "; ".join(last.missing))
    assert last.complete
