"""Calibrate lenses from rendered pictures, bad ones among them, and compare with the truth.

python -m benchmarks.calibration.intrinsics [--seeds N] [--views N] [--out FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.calibration import shoot
from benchmarks.calibration.rendering import Flaws, Studio
from benchmarks.calibration.rows import LensRow, LensTable, write
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.intrinsics import Intrinsics, calibrate_intrinsics
from loopwm_ros.calibration.views import View, Views
from loopwm_ros.config.calibration import BoardSettings, CameraModel
from loopwm_ros.errors import SensorError
from loopwm_ros.processing.lens import project_through, rays
from loopwm_ros.training.revision import git_revision
from loopwm_ros.types import U8

OUT = Path("docs/results/calibration/intrinsics.json")
CHARUCO = BoardSettings(kind="charuco")
CHECKERBOARD = BoardSettings(kind="checkerboard", columns=8, rows=5)
SMALL = {"width": 640, "height": 480, "cx": 322.3, "cy": 236.4}
LARGE = {"width": 1280, "height": 720, "cx": 651.2, "cy": 352.9}
CAMERAS = {
    "webcam": CameraModel(**SMALL, fx=520.0, fy=518.5, distortion=(-0.28, 0.09, 0.001, -0.0005, 0.0)),
    "telephoto": CameraModel(**SMALL, fx=1100.0, fy=1098.0, distortion=(-0.12, 0.3, 0.0, 0.0008, 0.0)),
    "HD": CameraModel(**LARGE, fx=910.0, fy=912.0, distortion=(0.12, -0.25, -0.0006, 0.0004, 0.08)),
    "wide": CameraModel(
        **SMALL,
        fx=330.0,
        fy=329.0,
        lens="rational_polynomial",
        distortion=(0.9, 0.12, 0.0003, -0.0002, 0.004, 1.25, 0.3, 0.02),
    ),
    "fisheye": CameraModel(
        **SMALL, fx=240.0, fy=239.4, lens="equidistant", distortion=(0.03, -0.012, 0.004, -0.0006)
    ),
}
FOCAL, RMS = 0.3, 0.3  # promised [%], [px]
BAD = ("blurred", "duplicate", "other size", "other board")  # refused as they are taken
WORSE = ("shaken", "corrupted")  # only the calibration finds them


def run(name: str, settings: BoardSettings, seed: int, count: int) -> LensRow:
    """One camera, one board, `count` good views and the bad ones."""
    camera, board, rng = CAMERAS[name], Board(settings), np.random.default_rng(seed)
    views, refused = take(board, camera, count, rng)
    found = calibrate_intrinsics(views, camera.lens)
    return row(name, settings, seed, views, refused, found)


def take(
    board: Board, camera: CameraModel, count: int, rng: np.random.Generator
) -> tuple[list[View], dict[str, str]]:
    """Views that were taken, corrupted ones among them, and the reasons of the bad ones that were not."""
    studio, views, refused = Studio(board, camera), Views(board), dict[str, str]()
    shots = shoot.good(studio, board, camera, rng)
    first = next(shots)
    while len(views.views) < count:
        shot = next(shots)
        if _added(views, shot.name, shot.image, refused):
            first = shot
    for name, image in _bad(studio, board, camera, first, rng):
        _added(views, name, image, refused)
    while not _added(views, "shaken", shoot.shaken(next(shots).image), refused):
        refused["good, while shaking"] = refused.pop("shaken")
    taken = list(views.views)
    return [shoot.corrupted(taken[0], rng), *taken[1:]], refused


def _added(views: Views, name: str, image: U8, refused: dict[str, str]) -> bool:
    try:
        views.add(name, image)
    except SensorError as error:
        refused[name] = str(error)
        return False
    return True


def _bad(
    studio: Studio, board: Board, camera: CameraModel, shot: shoot.Shot, rng: np.random.Generator
) -> Iterator[tuple[str, U8]]:
    pose = next(shoot.poses(board, camera, rng))
    yield "blurred", studio.picture(pose, Flaws(blur=3.0, noise=2.0), rng)
    yield "duplicate", studio.picture(shoot.nudged(shot), Flaws(blur=0.6, noise=2.0), rng)
    yield "other size", cv2.resize(shot.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    update = {"dictionary": "DICT_6X6_50"} if board.charuco else {"columns": 7, "rows": 4}
    other = Board(board.settings.model_copy(update=update))
    yield "other board", Studio(other, camera).picture(shot.pose, Flaws(blur=0.6, noise=2.0), rng)


def row(
    name: str,
    settings: BoardSettings,
    seed: int,
    views: list[View],
    refused: Mapping[str, str],
    found: Intrinsics,
) -> LensRow:
    """What came of it."""
    truth, camera = CAMERAS[name], found.camera
    errors = {key: getattr(camera, key) - getattr(truth, key) for key in ("fx", "fy", "cx", "cy")}
    return LensRow(
        camera=name,
        lens=truth.lens,
        board=settings.kind,
        seed=seed,
        views=len(views),
        kept=len(found.residuals),
        focal_errors_percent=(100 * errors["fx"] / truth.fx, 100 * errors["fy"] / truth.fy),
        centre_errors_px=(errors["cx"], errors["cy"]),
        sigmas={key: errors[key] / found.std[key] for key in errors},
        rms_px=found.rms,
        map_error_px=map_error(truth, camera, [view for view in views if view.name in found.residuals]),
        refused={key: refused.get(key, "TAKEN") for key in BAD},
        refused_good=sum(key not in BAD for key in refused),
        dropped={**{key: found.dropped.get(key, "KEPT") for key in WORSE}, **found.dropped},
        dropped_good=sum(key not in WORSE for key in found.dropped),
    )


def map_error(truth: CameraModel, found: CameraModel, views: Sequence[View]) -> float:
    """RMS of how far off a point is projected, where corners were seen [px]."""
    x, y = np.meshgrid(np.linspace(0, truth.width - 1, 33), np.linspace(0, truth.height - 1, 25))
    seen = cv2.convexHull(np.concatenate([view.detection.pixels for view in views]).astype(np.float32))
    grid = np.column_stack([x.ravel(), y.ravel()])
    pixels = np.array([at for at in grid if cv2.pointPolygonTest(seen, tuple(map(float, at)), False) > 0])
    return float(np.sqrt(((project_through(found, rays(truth, pixels)) - pixels) ** 2).sum(axis=1).mean()))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--views", type=int, default=20)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    revision, rows = git_revision(), []
    for name in CAMERAS:
        for settings in (CHARUCO, CHECKERBOARD):
            for seed in range(arguments.seeds):
                rows.append(run(name, settings, seed, arguments.views))
                print(rows[-1].line(), flush=True)
    table = LensTable(
        git_revision=revision, opencv=cv2.__version__, focal_percent=FOCAL, rms_px=RMS, rows=tuple(rows)
    )
    print(table.summary())
    write(table, arguments.out)


if __name__ == "__main__":
    main()
