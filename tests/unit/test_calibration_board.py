"""A board's corners, in pictures where they are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.corners import refined
from loopwm_ros.config.calibration import BoardSettings, CameraModel
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.processing.lens import project_through
from tests.shoots import CHARUCO, CHECKERBOARD, FISHEYE, SHARP, WEBCAM, flat_on, shots, studio


@pytest.mark.parametrize("camera", [WEBCAM, FISHEYE], ids=["webcam", "fisheye"])
@pytest.mark.parametrize("settings", [CHARUCO, CHECKERBOARD], ids=["charuco", "checkerboard"])
def test_corners_are_found_where_they_are(settings: BoardSettings, camera: CameraModel) -> None:
    board, found = Board(settings), 0
    for shot in shots(settings, camera, 5):
        try:
            seen = board.detect(shot.image)
        except SensorError:
            continue
        found += 1
        truth = project_through(camera, seen.points @ shot.pose[:3, :3].T + shot.pose[:3, 3])
        errors = np.linalg.norm(seen.pixels - truth, axis=1)
        assert np.median(errors) < 0.1
        assert errors.max() < 0.6
        np.testing.assert_array_equal(seen.points, board.corners[seen.ids])
    assert found >= 3


@pytest.mark.parametrize("columns_rows", [(8, 5), (5, 8), (7, 6), (6, 7)])
@pytest.mark.parametrize("spin", [0, 45, 90, 180, 270])
def test_a_checkerboard_knows_its_origin_however_it_is_turned(
    columns_rows: tuple[int, int], spin: int
) -> None:
    columns, rows = columns_rows
    settings = BoardSettings(kind="checkerboard", columns=columns, rows=rows, square=0.03)
    pose = flat_on(0.6, spin=np.deg2rad(spin))
    middle = np.array([columns, rows, 0.0]) * 0.015
    pose[:3, 3] = [0.0, 0.0, 0.6] - pose[:3, :3] @ middle
    image = studio(settings, WEBCAM).picture(pose, SHARP, np.random.default_rng(0))
    seen = Board(settings).detect(image)
    truth = project_through(WEBCAM, seen.points @ pose[:3, :3].T + pose[:3, 3])
    assert np.abs(seen.pixels - truth).max() < 0.3
    assert len(seen.ids) == (columns - 1) * (rows - 1)


@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_a_checkerboard_that_looks_the_same_upside_down_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValidationError, match=r"upside down.*such as"):
        BoardSettings(kind="checkerboard", columns=size[0], rows=size[1])
    assert BoardSettings(kind="charuco", columns=size[0], rows=size[1]).rows == size[1]


def test_the_same_picture_shows_the_same_corners() -> None:
    image, board = shots(CHECKERBOARD, FISHEYE, 5)[0].image, Board(CHECKERBOARD)
    first = board.detect(image)
    cv2.setRNGSeed(7)
    np.testing.assert_array_equal(board.detect(image).pixels, first.pixels)


def test_a_corner_at_the_edge_of_the_picture_or_hidden_is_left_out() -> None:
    board = Board(CHARUCO)
    pose = flat_on(0.45)
    image = studio(CHARUCO, WEBCAM).picture(pose, SHARP, np.random.default_rng(0))
    whole = board.detect(image)
    hidden = whole.pixels[10]
    covered = image.copy()
    cv2.circle(covered, tuple(int(v) for v in np.round(hidden)), 6, 128, -1)
    seen = board.detect(covered)
    assert whole.ids[10] not in seen.ids
    assert len(seen.ids) >= len(whole.ids) - 3
    truth = project_through(WEBCAM, seen.points @ pose[:3, :3].T + pose[:3, 3])
    assert np.abs(seen.pixels - truth).max() < 0.5


def test_a_corner_that_is_found_twice_is_kept_where_it_belongs() -> None:
    image = studio(CHARUCO, WEBCAM).picture(flat_on(0.45), SHARP, np.random.default_rng(0))
    whole = Board(CHARUCO).detect(image)
    rough = whole.pixels.copy()
    rough[8] = rough[9] + 0.4
    ids, pixels = refined(image, Board(CHARUCO).shape, whole.ids, rough, 0.13)
    assert set(whole.ids) - set(ids) == {8}
    np.testing.assert_allclose(pixels, np.delete(whole.pixels, 8, axis=0), atol=0.05)


def test_no_board_is_said_so() -> None:
    with pytest.raises(SensorError, match="no board is seen"):
        Board(CHARUCO).detect(np.full((240, 320), 128, dtype=np.uint8))
    with pytest.raises(SensorError, match="no board is seen"):
        Board(CHECKERBOARD).detect(np.full((240, 320, 3), 128, dtype=np.uint8))


def test_dictionaries_that_are_not_or_too_small_are_named() -> None:
    with pytest.raises(ConfigError, match="DICT_7X7_1000"):
        Board(BoardSettings(dictionary="DICT_NONE"))
    with pytest.raises(ConfigError, match="needs 60 markers, DICT_4X4_50 has 50"):
        Board(BoardSettings(columns=12, rows=10, dictionary="DICT_4X4_50"))
