"""OpenCV's sample pictures, where Debian's package opencv-doc is installed; they are not copied here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.calibration.public import BOARD, compare
from loopwm_ros.processing.lens import camera_matrix
from tests.shoots import WEBCAM, shots

COUNT = 10
FOLDER = Path("/usr/share/doc/opencv-doc/examples/data")


@pytest.mark.skipif(not (FOLDER / "left01.jpg").exists(), reason="package opencv-doc is not installed")
def test_opencv_s_own_set_agrees_with_opencv() -> None:
    rows = {row.by: row for row in compare(FOLDER).rows}
    ours, theirs = rows["loopwm"], rows["cv2.calibrateCamera on loopwm's corners"]
    assert (ours.views, ours.dropped) == (13, {})
    assert ours.focal_px == pytest.approx(theirs.focal_px, rel=1e-5)
    assert ours.centre_px == pytest.approx(theirs.centre_px, abs=1e-3)
    assert ours.rms_px < 0.3
    # the set's file keeps a view with corners that are off by 1.2 px; a fit that does so, too, agrees
    file = rows["left_intrinsics.yml of the set"]
    same = rows["cv2.calibrateCamera on OpenCV's corners, fx = fy"]
    assert same.focal_px == pytest.approx(file.focal_px, rel=2e-3)
    assert list(rows["loopwm on OpenCV's corners"].dropped) == ["left02"]
    assert ours.focal_px == pytest.approx(file.focal_px, rel=1e-2)


def test_a_set_of_the_same_form_is_compared_row_by_row(tmp_path: Path) -> None:
    """Runs everywhere: rendered pictures in place of theirs, their file holding the truth."""
    for number, shot in enumerate(shots(BOARD, WEBCAM, COUNT), 1):
        cv2.imwrite(str(tmp_path / f"left{number:02}.jpg"), shot.image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    stored = cv2.FileStorage(str(tmp_path / "left_intrinsics.yml"), cv2.FILE_STORAGE_WRITE)
    stored.write("camera_matrix", camera_matrix(WEBCAM))
    stored.write("distortion_coefficients", np.array([WEBCAM.distortion]))
    stored.write("avg_reprojection_error", 0.0)
    stored.write("nframes", COUNT)
    stored.release()
    rows = {row.by: row for row in compare(tmp_path).rows}
    ours, theirs = rows["loopwm"], rows["cv2.calibrateCamera on loopwm's corners"]
    truth = rows["left_intrinsics.yml of the set"]
    assert (truth.focal_px, truth.views) == ((WEBCAM.fx, WEBCAM.fy), COUNT)
    assert ours.views + len(ours.dropped) == COUNT
    assert ours.focal_px == pytest.approx(theirs.focal_px, rel=1e-3)
    assert ours.focal_px == pytest.approx(truth.focal_px, rel=3e-3)
    assert ours.rms_px < 0.3
