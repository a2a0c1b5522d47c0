"""OpenCV's sample pictures, where Debian's package opencv-doc is installed; they are not copied here."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.calibration.public import compare

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
