"""How far a camera may be from the bundle's: reach in lockstep, with and without re-projection.

    python -m benchmarks.calibration.reprojection --out docs/results/calibration/reprojection.json

The camera is turned, moved, given a lens or another resolution; each case is run on the same episodes. Rows
that are in the file already are kept, so that a run that was cut short goes on.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.calibration.lens_camera import LensCamera, seen_by
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import ArmConfig, CameraConfig, TaskConfig, load_arm, load_task, load_world
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.control.assembly import MpcSettings, build_gate, build_mpc, planner_settings
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.mpc_controller import MpcController
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.reprojection import Reprojection
from loopwm_ros.validation.scoring import EpisodeScore, Outcome
from loopwm_ros.validation.statistics import wilson

BUNDLE = Path(__file__).resolve().parents[2] / "models" / "panda_reach"
BARREL = (-0.28, 0.09, 0.0005, -0.0007, 0.0)  # a cheap wide lens


@dataclass(frozen=True)
class Case:
    """Another camera than the bundle's."""

    name: str
    turn: float = 0.0  # [deg]
    shift: float = 0.0  # [m]
    scale: float = 1.0  # of the resolution
    zoom: float = 1.0  # of the focal length
    distortion: tuple[float, ...] = (0.0,) * 5

    @property
    def plain(self) -> bool:
        """Can the bundle take its pictures as they are?"""
        return self.scale == 1.0


CASES = (
    Case("as trained"),
    *(Case(f"turned by {d} degrees", turn=d) for d in (2, 5, 10, 15)),
    *(Case(f"moved by {d} cm", shift=d / 100) for d in (2, 5, 10, 15)),
    Case("turned by 5 degrees and moved by 5 cm", turn=5, shift=0.05),
    Case("half the resolution", scale=0.5),
    Case("a third of the resolution", scale=1 / 3),
    Case("320x240 with barrel distortion, turned by 5 degrees and moved by 5 cm", 5, 0.05, 2, 0.9, BARREL),
    Case("barrel distortion", distortion=BARREL),
    Case("turned by 10 degrees and moved by 10 cm", turn=10, shift=0.10),
    Case("zoomed by 1.2", zoom=1.2),
)


@dataclass(frozen=True)
class Row:
    """One case, with or without re-projection."""

    case: str
    reprojected: bool
    episodes: int
    success: float
    low: float  # 95 % interval (Wilson)
    high: float
    final_mm: float  # median distance to the goal at the end
    turn_deg: float
    shift_m: float
    coverage: float
    enlargement: float
    parallax_px: float  # in the bundle's picture, 0.1 m above the table, mean over it


def placed(camera: CameraConfig, case: Case, direction: float) -> CameraConfig:
    """The camera turned and moved; `direction` [rad] in its own picture is that of both."""
    pose = camera_pose(camera)
    across = math.cos(direction) * pose[:3, 0] + math.sin(direction) * pose[:3, 1]
    position = np.add(camera.position, case.shift * across)
    aim = np.subtract(camera.look_at, camera.position)
    reach = float(np.linalg.norm(aim))
    look_at = position + aim + reach * math.tan(math.radians(case.turn)) * across
    return camera.model_copy(
        update={"position": tuple(position.tolist()), "look_at": tuple(look_at.tolist())}
    )


def lens_of(camera: CameraConfig, case: Case) -> CameraModel:
    """The actual camera's model, pixels counted as in CameraInfo."""
    scale, focal = case.scale, case.scale * case.zoom
    return CameraModel(
        width=round(camera.width * scale),
        height=round(camera.height * scale),
        fx=camera.fx * focal,
        fy=camera.fy * focal,
        cx=(camera.cx + 0.5) * scale - 0.5,
        cy=(camera.cy + 0.5) * scale - 0.5,
        distortion=case.distortion,
    )


class Bench:
    """Reach with one bundle, its cell's camera another one in each case."""

    def __init__(self, bundle: Bundle, episodes: int, seed: int) -> None:
        self._bundle, self._episodes, self._seed = bundle, episodes, seed
        self._camera = bundle.manifest.seen
        self._task: TaskConfig = load_task(bundle.manifest.task)
        self._world = load_world(self._task.world)
        self._arm: ArmConfig = load_arm(bundle.manifest.arm)
        self._kinematics = Kinematics(self._arm)
        self._settings = MpcSettings(planner=planner_settings(self._task, "mppi"))

    def row(self, case: Case, reprojected: bool) -> Row:
        """Run the episodes; the turn's direction goes round with them."""
        runs = [self._episode(case, reprojected, k) for k in range(self._episodes)]
        outcomes, views = [outcome for outcome, _ in runs], [view for _, view in runs]
        interval = wilson(sum(o.success for o in outcomes), len(outcomes))
        assert interval is not None
        gaps = [view.gap for view in views]
        above = np.array([(x, y, 0.1) for x in (0.35, 0.5, 0.65) for y in (-0.25, 0.0, 0.25)])
        return Row(
            case.name,
            reprojected,
            len(outcomes),
            sum(o.success for o in outcomes) / len(outcomes),
            *(round(end, 3) for end in interval),
            round(float(np.median([o.final_distance for o in outcomes])) * 1e3, 1),
            round(max(gap.turn for gap in gaps), 2),
            round(max(gap.shift for gap in gaps), 4),
            round(min(gap.coverage for gap in gaps), 3),
            round(max(gap.enlargement for gap in gaps), 2),
            round(float(np.mean([view.parallax(above) for view in views])), 2),
        )

    def _episode(self, case: Case, reprojected: bool, index: int) -> tuple[Outcome, Reprojection]:
        manifest = self._bundle.manifest
        stand = placed(self._camera, case, 2.0 * math.pi * index / self._episodes)
        model = lens_of(self._camera, case)
        view = Reprojection(self._camera, model, camera_pose(stand), self._world.table_high[2])
        arm = self._arm.model_copy(update={"camera": seen_by(model, stand)})
        period = 1.0 / self._world.control_rate
        mpc = build_mpc(
            self._bundle,
            arm,
            self._task,
            self._kinematics,
            period,
            self._settings,
            view=view if reprojected else None,
        )
        controller = MpcController(mpc.horizon, mpc.synchroniser, manifest.spec.model_period, lambda _: None)
        with closing(BulletCell(arm, self._task, self._world)) as cell:
            gate = build_gate(self._kinematics, arm, 1.0 / self._world.servo_rate)
            ratio = round(self._world.servo_rate / self._world.control_rate)
            loop = Lockstep(LensCamera(cell, arm.camera, model), gate, controller, ratio)
            loop.reset(self._seed + index)
            return self._run(loop, cell), view

    def _run(self, loop: Lockstep, cell: BulletCell) -> Outcome:
        score, outcome = EpisodeScore(self._task, cell.now), None
        while outcome is None:
            loop.step()
            outcome = score.update(cell.now, cell.truth().distance)
        return outcome


def pending(rows: list[Row]) -> Iterator[tuple[Case, bool]]:
    """What has not been run."""
    done = {(row.case, row.reprojected) for row in rows}
    for case in CASES:
        for reprojected in (True, False) if case.plain else (True,):
            if (case.name, reprojected) not in done:
                yield case, reprojected


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rows = [Row(**row) for row in json.loads(chosen.out.read_text())["rows"]] if chosen.out.exists() else []
    bench = Bench(load_bundle(chosen.bundle), chosen.episodes, chosen.seed)
    for case, reprojected in pending(rows):
        rows.append(bench.row(case, reprojected))
        print(rows[-1])
        head = {"bundle": chosen.bundle.name, "seed": chosen.seed, "rows": [asdict(row) for row in rows]}
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
