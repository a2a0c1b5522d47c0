"""Lenses from views, against the truth; views that contradict the rest; data that do not tell a lens."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.calibration.intrinsics import BAD, CAMERAS, WORSE, run
from benchmarks.calibration.shoot import corrupted, poses
from loopwm_ros.calibration.board import Board, Detection
from loopwm_ros.calibration.intrinsics import FEWEST_VIEWS, calibrate_intrinsics
from loopwm_ros.calibration.views import View
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.errors import SensorError
from loopwm_ros.processing.lens import project_through
from tests.shoots import CHARUCO, CHECKERBOARD, FISHEYE, WEBCAM, flat_on

NOISE = 0.1  # of a corner, each way [px]


def seen(camera: CameraModel, pose: np.ndarray, name: str, rng: np.random.Generator) -> View:
    """A view of the corners that are in the picture, without the picture."""
    board = Board(CHARUCO)
    pixels = project_through(camera, board.corners @ pose[:3, :3].T + pose[:3, 3])
    pixels += rng.normal(0.0, NOISE, pixels.shape)
    inside = ((pixels > 0) & (pixels < (camera.width - 1, camera.height - 1))).all(axis=1)
    ids = np.flatnonzero(inside)
    detection = Detection(ids, board.corners[ids], pixels[ids])
    return View(name, detection, (camera.width, camera.height), 2.0)


def many(camera: CameraModel, count: int, seed: int = 0) -> list[View]:
    rng = np.random.default_rng(seed)
    source = poses(Board(CHARUCO), camera, rng)
    return [seen(camera, next(source), f"view {k}", rng) for k in range(count)]


@pytest.mark.parametrize(("name", "settings"), [("webcam", CHARUCO), ("fisheye", CHECKERBOARD)])
def test_a_lens_from_pictures_good_and_bad(name: str, settings: object) -> None:
    row = run(name, settings, seed=11, count=12)
    assert max(map(abs, row.focal_errors_percent)) < 0.3
    assert row.rms_px < 0.3
    assert row.map_error_px < 1.0
    assert list(row.refused) == list(BAD)
    assert "TAKEN" not in row.refused.values()
    assert row.refused["duplicate"].startswith("duplicate shows the same as good")
    assert list(row.dropped) == list(WORSE)
    assert all("px RMS" in reason for reason in row.dropped.values())
    assert (row.dropped_good, row.kept) == (0, 12 - 1)  # one of the good is corrupted afterwards


@pytest.mark.parametrize("name", ["webcam", "wide", "fisheye"])
def test_reported_deviations_are_those_of_the_errors(name: str) -> None:
    truth, sigmas = CAMERAS[name], []
    for seed in range(12):
        found = calibrate_intrinsics(many(truth, 12, seed), truth.lens)
        assert found.rms == pytest.approx(np.sqrt(2) * NOISE, rel=0.15)
        assert not found.dropped
        keys = ("fx", "fy", "cx", "cy")
        sigmas += [(getattr(found.camera, key) - getattr(truth, key)) / found.std[key] for key in keys]
    assert 0.7 < np.sqrt(np.mean(np.square(sigmas))) < 1.4


def test_deviations_are_opencv_s_for_a_pinhole() -> None:
    views = many(WEBCAM, 12)
    found = calibrate_intrinsics(views, "plumb_bob")
    points = [view.detection.points.astype(np.float32) for view in views]
    pixels = [view.detection.pixels.astype(np.float32) for view in views]
    *_, std, _, _ = cv2.calibrateCameraExtended(points, pixels, (640, 480), np.eye(3), np.zeros(5))
    assert list(found.std) == ["fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3"]
    np.testing.assert_allclose(list(found.std.values()), std.ravel()[:9], rtol=0.02)


def test_a_fisheye_is_what_opencv_finds_where_it_finds_one() -> None:
    camera = FISHEYE.model_copy(update={"fx": 400.0, "fy": 399.0})  # no corner near 90 degrees
    views = many(camera, 10)
    points = [view.detection.points.reshape(-1, 1, 3) for view in views]
    pixels = [view.detection.pixels.reshape(-1, 1, 2) for view in views]
    flags = cv2.fisheye.CALIB_RECOMPUTE_EXTRINSIC | cv2.fisheye.CALIB_FIX_SKEW
    _, K, *_ = cv2.fisheye.calibrate(points, pixels, (640, 480), np.eye(3), np.zeros(4), flags=flags)
    found = calibrate_intrinsics(views, "equidistant").camera
    assert (found.fx, found.fy) == pytest.approx((K[0, 0], K[1, 1]), abs=0.02)
    assert (found.cx, found.cy) == pytest.approx((K[0, 2], K[1, 2]), abs=0.02)


def test_residuals_and_poses_belong_to_the_views() -> None:
    views = many(FISHEYE, 8)
    found = calibrate_intrinsics(views, "equidistant")
    for view in views:
        pose, residual = found.poses[view.name], found.residuals[view.name]
        projected = project_through(found.camera, view.detection.points @ pose[:3, :3].T + pose[:3, 3])
        np.testing.assert_allclose(view.detection.pixels - projected, residual, atol=1e-9)


@pytest.mark.parametrize("camera", [WEBCAM, FISHEYE], ids=["webcam", "fisheye"])
def test_contradicting_views_are_dropped_with_the_reason(camera: CameraModel) -> None:
    rng, views = np.random.default_rng(5), many(camera, 12)
    views[3] = replace(corrupted(views[3], rng), name="broken")
    found = calibrate_intrinsics(views, camera.lens)
    assert list(found.dropped) == ["broken"]
    assert "px RMS, the median view" in found.dropped["broken"]
    assert "broken" not in found.residuals
    assert found.camera.fx == pytest.approx(camera.fx, rel=3e-3)


@pytest.mark.parametrize("camera", [WEBCAM, FISHEYE], ids=["webcam", "fisheye"])
def test_a_view_of_nonsense_does_not_end_the_fit(camera: CameraModel) -> None:
    rng, views = np.random.default_rng(5), many(camera, 10)
    for k in (2, 5):
        wild = rng.uniform(0.0, 480.0, views[k].detection.pixels.shape)
        views[k] = replace(views[k], name=f"wild {k}", detection=replace(views[k].detection, pixels=wild))
    found = calibrate_intrinsics(views, camera.lens)
    assert sorted(found.dropped) == ["wild 2", "wild 5"]
    assert found.camera.fx == pytest.approx(camera.fx, rel=3e-3)


def test_when_most_views_contradict_each_other_all_are_refused() -> None:
    rng = np.random.default_rng(5)
    views = [
        replace(corrupted(v, rng), name=v.name) if k % 3 == 0 else v for k, v in enumerate(many(WEBCAM, 10))
    ]
    with pytest.raises(SensorError, match=r"contradict each other; left out were view .*board is flat"):
        calibrate_intrinsics(views, "plumb_bob")


def test_too_few_mixed_and_doubled_views_are_refused() -> None:
    views = many(WEBCAM, FEWEST_VIEWS)
    with pytest.raises(SensorError, match="4 views; expected 5 to 500, 15 or more are good"):
        calibrate_intrinsics(views[1:], "plumb_bob")
    with pytest.raises(SensorError, match=r"2 sizes, \(640, 480\) and \(800, 600\) among"):
        calibrate_intrinsics([*views, replace(views[0], name="other", size=(800, 600))], "plumb_bob")
    with pytest.raises(SensorError, match="same name"):
        calibrate_intrinsics([*views, views[0]], "plumb_bob")


@pytest.mark.parametrize("camera", [WEBCAM, FISHEYE], ids=["webcam", "fisheye"])
@pytest.mark.parametrize("tilt", [0.0, 0.5], ids=["flat on", "one tilt"])
def test_views_of_one_tilt_do_not_tell_a_lens(camera: CameraModel, tilt: float) -> None:
    rng, views = np.random.default_rng(0), []
    turn = cv2.Rodrigues(np.array([tilt, 0.0, 0.0]))[0]
    for k in range(10):
        pose = flat_on(0.0, spin=0.0)
        pose[:3, :3] = turn
        pose[:3, 3] = [*rng.uniform(-0.05, 0.05, 2), rng.uniform(0.4, 0.6)] - turn @ [0.12, 0.09, 0.0]
        views.append(seen(camera, pose, f"view {k}", rng))
    with pytest.raises(SensorError, match="tilt the board by 20 to 45 degrees about both"):
        calibrate_intrinsics(views, camera.lens)


def test_nonsense_is_refused() -> None:
    rng = np.random.default_rng(0)
    views = many(WEBCAM, 8)
    wild = [
        replace(v, detection=replace(v.detection, pixels=rng.uniform(0, 480, v.detection.pixels.shape)))
        for v in views
    ]
    for lens in ("plumb_bob", "rational_polynomial", "equidistant"):
        with pytest.raises(SensorError):
            calibrate_intrinsics(wild, lens)
    nan = [replace(v, detection=replace(v.detection, pixels=v.detection.pixels * np.nan)) for v in views]
    for lens in ("plumb_bob", "equidistant"):
        with pytest.raises(SensorError):
            calibrate_intrinsics(nan, lens)
