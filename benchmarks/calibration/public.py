"""Calibrate OpenCV's own sample pictures, left01.jpg to left14.jpg, and compare with OpenCV's numbers.

python -m benchmarks.calibration.public FOLDER [--out FILE]

FOLDER holds the pictures and left_intrinsics.yml, as examples/data of Debian's package opencv-doc does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.calibration.rows import PublicRow, PublicTable, write
from loopwm_ros.calibration.board import Board, Detection
from loopwm_ros.calibration.intrinsics import calibrate_intrinsics
from loopwm_ros.calibration.views import View, Views
from loopwm_ros.config.calibration import BoardSettings
from loopwm_ros.errors import SensorError
from loopwm_ros.training.revision import git_revision

OUT = Path("docs/results/calibration/public.json")
BOARD = BoardSettings(kind="checkerboard", columns=10, rows=7, square=0.025)  # as left_intrinsics.yml has it
IMAGES = "left01.jpg to left14.jpg of OpenCV's samples/data, package opencv-doc"


def compare(folder: Path) -> PublicTable:
    """Our corners and OpenCV's, our fit and OpenCV's, and the file of the set, which has fx = fy."""
    views, refused = Views(Board(BOARD)), dict[str, str]()
    for path in sorted(folder.glob("left[0-9][0-9].jpg")):
        _add(views, path, refused)
    classic = _classic(folder)
    fixed = cv2.CALIB_FIX_ASPECT_RATIO
    rows = (
        _ours("loopwm", views.views, refused),
        _opencv("cv2.calibrateCamera on loopwm's corners", views.views, 0),
        _ours("loopwm on OpenCV's corners", classic, {}),
        _opencv("cv2.calibrateCamera on OpenCV's corners", classic, 0),
        _opencv("cv2.calibrateCamera on OpenCV's corners, fx = fy", classic, fixed),
        _file(folder / "left_intrinsics.yml"),
    )
    return PublicTable(git_revision=git_revision(), opencv=cv2.__version__, images=IMAGES, rows=rows)


def _ours(by: str, views: Sequence[View], refused: dict[str, str]) -> PublicRow:
    found = calibrate_intrinsics(views, "plumb_bob")
    camera = found.camera
    return PublicRow(
        by=by,
        views=len(found.residuals),
        focal_px=(camera.fx, camera.fy),
        centre_px=(camera.cx, camera.cy),
        focal_std_px=(found.std["fx"], found.std["fy"]),
        distortion=camera.distortion,
        rms_px=found.rms,
        dropped={**refused, **found.dropped},
    )


def _classic(folder: Path) -> list[View]:
    """Corners as OpenCV's samples find them."""
    board, found = Board(BOARD), []
    for path in sorted(folder.glob("left[0-9][0-9].jpg")):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        seen, corners = cv2.findChessboardCorners(grey, board.shape)
        if seen:
            stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-3)
            pixels = cv2.cornerSubPix(grey, corners, (11, 11), (-1, -1), stop).reshape(-1, 2)
            detection = Detection(np.arange(len(pixels)), board.corners, pixels.astype(np.float64))
            found.append(View(path.stem, detection, (grey.shape[1], grey.shape[0]), 0.0))
    return found


def _add(views: Views, path: Path, refused: dict[str, str]) -> None:
    try:
        views.add(path.stem, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    except SensorError as error:
        refused[path.stem] = str(error)


def _opencv(by: str, views: Sequence[View], flags: int) -> PublicRow:
    points = [view.detection.points.astype(np.float32) for view in views]
    pixels = [view.detection.pixels.astype(np.float32) for view in views]
    rms, K, D, *_ = cv2.calibrateCamera(points, pixels, views[0].size, np.eye(3), np.zeros(5), flags=flags)
    return _row(by, len(views), K, D, rms)


def _file(path: Path) -> PublicRow:
    stored = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    K, D = stored.getNode("camera_matrix").mat(), stored.getNode("distortion_coefficients").mat()
    rms, count = stored.getNode("avg_reprojection_error").real(), int(stored.getNode("nframes").real())
    return _row("left_intrinsics.yml of the set", count, K, D, rms)


def _row(by: str, views: int, K: np.ndarray, D: np.ndarray, rms: float) -> PublicRow:
    return PublicRow(
        by=by,
        views=views,
        focal_px=(K[0, 0], K[1, 1]),
        centre_px=(K[0, 2], K[1, 2]),
        focal_std_px=None,
        distortion=tuple(D.ravel().tolist()),
        rms_px=rms,
        dropped={},
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    table = compare(arguments.folder)
    for row in table.rows:
        print(row)
    write(table, arguments.out)


if __name__ == "__main__":
    main()
