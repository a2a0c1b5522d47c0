"""Re-projection on pictures of a table that are drawn exactly, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loopwm_ros.config import CameraConfig
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.errors import MismatchError, SensorError
from loopwm_ros.processing.camera import camera_pose, project
from loopwm_ros.processing.lens import project_through, rays
from loopwm_ros.processing.poses import inverse
from loopwm_ros.processing.reprojection import CameraGap, Reprojection, ReprojectionLimits
from loopwm_ros.types import F64, U8

MEASURED = Path(__file__).resolve().parents[2] / "docs/results/calibration/reprojection.json"
OWN = CameraConfig(
    width=80,
    height=60,
    rate=20.0,
    fx=85.0,
    fy=85.0,
    cx=40.0,
    cy=30.0,
    position=(1.3, 0.0, 0.9),
    look_at=(0.5, 0.0, 0.0),
)
TABLE = 0.02  # its height in the base frame [m]
SAMPLES = 4
WAVES = np.random.default_rng(3).uniform(-25.0, 25.0, (3, 2))  # of the table's pattern [rad/m]


def pattern(points: F64) -> F64:
    """Colour (m, 3) of the table at (m, 2) [m]."""
    return 127.0 + 100.0 * np.sin(points @ WAVES.T + np.arange(3))


def drawn(camera: CameraModel, pose: F64) -> U8:
    """The table as the camera sees it, each pixel the mean of many samples."""
    x = (np.arange(camera.width * SAMPLES) + 0.5) / SAMPLES - 0.5
    y = (np.arange(camera.height * SAMPLES) + 0.5) / SAMPLES - 0.5
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    directions = rays(camera, grid) @ pose[:3, :3].T
    depth = (TABLE - pose[2, 3]) / directions[:, 2]
    assert (depth > 0).all(), "the test's cameras look down"
    colours = pattern((pose[:3, 3] + directions * depth[:, None])[:, :2])
    fine = colours.reshape(camera.height, SAMPLES, camera.width, SAMPLES, 3)
    return np.round(fine.mean(axis=(1, 3))).astype(np.uint8)


def pinhole(camera: CameraConfig, **changes: Any) -> CameraModel:
    own = {key: getattr(camera, key) for key in ("width", "height", "fx", "fy", "cx", "cy")}
    return CameraModel(**(own | changes))


def finer(scale: float, **changes: Any) -> CameraModel:
    """The bundle's camera at another resolution."""
    size = {"width": round(OWN.width * scale), "height": round(OWN.height * scale)}
    centre = {"cx": (OWN.cx + 0.5) * scale - 0.5, "cy": (OWN.cy + 0.5) * scale - 0.5}
    focal = {"fx": OWN.fx * scale, "fy": OWN.fy * scale}
    return pinhole(OWN, **(size | centre | focal | changes))


def at(position: tuple[float, float, float], look_at: tuple[float, float, float]) -> F64:
    return camera_pose(OWN.model_copy(update={"position": position, "look_at": look_at}))


HERE = camera_pose(OWN)
BARREL = (-0.25, 0.06, 1e-3, -1e-3, 0.0)
FISHEYE = {"lens": "equidistant", "distortion": (0.05, -0.01, 0.0, 0.0)}
CASES = {
    "turned": (pinhole(OWN), at((1.3, 0.0, 0.9), (0.45, 0.08, 0.0))),
    "moved": (pinhole(OWN), at((1.35, 0.05, 0.95), (0.55, 0.05, 0.05))),
    "finer": (finer(4.0), HERE),
    "coarser": (finer(0.75), HERE),
    "barrel": (finer(2.0, distortion=BARREL), HERE),
    "fisheye": (finer(3.0, fx=200.0, fy=200.0, **FISHEYE), HERE),
    "all": (finer(3.0, fx=230.0, fy=235.0, distortion=BARREL), at((1.28, -0.05, 0.93), (0.52, 0.04, 0.0))),
}


@pytest.mark.parametrize("name", CASES)
def test_the_table_looks_as_the_bundles_camera_would_see_it(name: str) -> None:
    camera, pose = CASES[name]
    view = Reprojection(OWN, camera, pose, TABLE)
    made = view.apply(drawn(camera, pose)).astype(float)
    wanted = drawn(pinhole(OWN), HERE).astype(float)
    assert made.shape == wanted.shape
    seen = _covered(camera, pose)
    assert seen.mean() == pytest.approx(view.gap.coverage, abs=0.01)
    error = np.abs(made - wanted)[seen]
    unchanged = np.abs(_shrunk(drawn(camera, pose)) - wanted)[seen]
    assert error.mean() < 3.0  # of 255; interpolation takes some of the pattern's contrast
    assert error.mean() < 0.35 * unchanged.mean()


def _covered(camera: CameraModel, pose: F64) -> Any:
    """Pixels of the bundle's picture that the other camera sees, by their points on the table."""
    u, v = np.meshgrid(np.arange(OWN.width), np.arange(OWN.height))
    local = rays(pinhole(OWN), np.stack([u, v], axis=-1).reshape(-1, 2).astype(float)) @ HERE[:3, :3].T
    points = HERE[:3, 3] + local * ((TABLE - HERE[2, 3]) / local[:, 2])[:, None]
    back = inverse(pose)
    pixels = project_through(camera, points @ back[:3, :3].T + back[:3, 3])
    inside = (pixels >= -0.5) & (pixels <= np.array([camera.width, camera.height]) - 0.5)
    return inside.all(axis=1).reshape(v.shape)


def _shrunk(rgb: U8) -> F64:
    """Nearest pixels at the bundle's size: what would be seen without re-projection."""
    rows = (np.arange(OWN.height) + 0.5) / OWN.height * rgb.shape[0]
    columns = (np.arange(OWN.width) + 0.5) / OWN.width * rgb.shape[1]
    return rgb[rows.astype(int)][:, columns.astype(int)].astype(float)


def test_the_bundles_own_camera_changes_no_bit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (OWN.height, OWN.width, 3)).astype(np.uint8)
    view = Reprojection(OWN, pinhole(OWN), HERE, TABLE)
    assert np.array_equal(view.apply(noise), noise)
    assert view.gap.turn == pytest.approx(0.0, abs=1e-6)
    assert view.gap.coverage == 1.0


def test_a_fine_picture_is_not_aliased() -> None:
    camera = finer(4.0)
    stripes = np.zeros((camera.height, camera.width, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    made = Reprojection(OWN, camera, HERE, TABLE).apply(stripes)
    assert np.abs(made.astype(int) - 127).max() <= 2


def test_a_camera_in_the_plane_sees_all_of_it_far_away() -> None:
    level = OWN.model_copy(update={"position": (1.3, 0.0, TABLE), "look_at": (0.5, 0.0, TABLE)})
    view = Reprojection(level, pinhole(level), camera_pose(level), TABLE)
    assert view.gap.coverage == 1.0
    assert view.gap.enlargement == pytest.approx(1.0)


def test_parallax_is_what_stands_off_the_plane() -> None:
    pose = at((1.3, 0.08, 0.9), (0.5, 0.08, 0.0))
    view = Reprojection(OWN, pinhole(OWN), pose, TABLE)
    height = TABLE + 0.1
    point = np.array([[0.5, 0.1, height]])
    local = inverse(pose)
    dot = np.zeros((OWN.height, OWN.width, 3), dtype=np.uint8)
    column, row = project_through(pinhole(OWN), point @ local[:3, :3].T + local[:3, 3])[0]
    dot[round(row), round(column)] = 255
    made = view.apply(dot)[..., 0].astype(float)
    rows, columns = np.indices(made.shape)
    where = np.array([(made * columns).sum(), (made * rows).sum()]) / made.sum()
    off = np.linalg.norm(where - project(OWN, point)[0])
    assert view.parallax(point)[0] == pytest.approx(off, abs=0.7)
    assert 0.5 < view.parallax(point)[0] < 2.0
    assert view.parallax(np.array([[0.5, 0.1, TABLE]]))[0] == pytest.approx(0.0, abs=1e-9)


def test_a_lens_that_folds_over_shows_nothing_twice() -> None:
    folding = finer(2.0, fx=70.0, fy=70.0, distortion=(-0.6, 0.0, 0.0, 0.0, 0.0))
    wide = OWN.model_copy(update={"fx": 20.0, "fy": 20.0})
    assert Reprojection(wide, folding, HERE, TABLE).gap.coverage < 0.8


def test_beyond_its_range_it_is_refused_with_each_figure_and_what_to_do() -> None:
    limits = ReprojectionLimits(turn=10.0, shift=0.05, coverage=0.9, enlargement=1.5)
    near = at((1.32, 0.0, 0.9), (0.52, 0.02, 0.0))
    Reprojection(OWN, finer(2.0, fx=150.0, fy=150.0), near, TABLE).check("reach", limits)
    away = Reprojection(OWN, finer(0.5), at((1.3, 0.3, 0.9), (0.5, -0.3, 0.0)), TABLE)
    with pytest.raises(MismatchError) as refused:
        away.check("reach", limits)
    text = str(refused.value)
    for part in (
        "bundle 'reach'",
        f"turned by {away.gap.turn:.1f} degrees (at most 10)",
        "moved by 30.0 cm (at most 5)",
        "of the bundle's picture (at least 90%)",
        "times the bundle's (at most 1.5)",
        "bring it to [1.3, 0.0, 0.9], looking at [0.5, 0.0, 0.0]",
    ):
        assert part in text
    backwards = Reprojection(OWN, pinhole(OWN), at((1.3, 0.0, 0.9), (2.5, 0.0, 0.9)), TABLE)
    with pytest.raises(MismatchError, match="sees 0% of the bundle's picture"):
        backwards.check("reach", limits)


def test_a_picture_of_another_size_is_refused() -> None:
    view = Reprojection(OWN, finer(2.0), HERE, TABLE)
    with pytest.raises(SensorError, match="80x60; calibrated was 160x120"):
        view.apply(np.zeros((60, 80, 3), dtype=np.uint8))


def test_within_the_stated_range_all_measured_episodes_succeeded() -> None:
    rows = [row for row in json.loads(MEASURED.read_text())["rows"] if row["reprojected"]]
    gaps = [CameraGap(r["turn_deg"], r["shift_m"], r["coverage"], r["enlargement"]) for r in rows]
    inside = [row for row, gap in zip(rows, gaps, strict=True) if not gap.excess(ReprojectionLimits())]
    assert len(inside) >= 8
    assert {row["success"] for row in inside} == {1.0}
    assert max(row["shift_m"] for row in inside) == ReprojectionLimits().shift
