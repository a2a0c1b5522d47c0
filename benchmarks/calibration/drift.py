"""What the drift check sees and what a look costs: cameras nudged by known angles, and cameras that stay.

    python -m benchmarks.calibration.drift --out docs/results/calibration/drift.json

The scene: PyBullet's cell with another ball, light, table and posture at each look, against one reference.
The board: drawn on the tool of an arm at another posture at each look. Costs are CPU time of one look.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pybullet
from scipy.spatial.transform import Rotation

from benchmarks.calibration.rendering import Flaws, Studio
from loopwm_ros.bullet.camera import render
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.drift import DriftCheck
from loopwm_ros.calibration.drift_limits import DriftLimits
from loopwm_ros.calibration.drift_watch import Looker
from loopwm_ros.calibration.scene_drift import SceneCheck
from loopwm_ros.config import CameraConfig, load_arm, load_task, load_world
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.poses import inverse, posed, transform
from loopwm_ros.types import F64, U8, JointState, Observation

ARM = load_arm("panda")
TURNS = (0.0, 0.5, 1.0, 2.0, 4.0)  # of the nudges [deg]
WIDTHS = (320, 640, 1280, 1920)  # of the pictures whose cost is measured [px]
BOARD = BoardSettings(columns=6, rows=5, square=0.04, marker=0.03, dictionary="DICT_4X4_50")
SPREAD = 0.6  # of the arm's postures before the scene [rad]
NOISE = 4.0  # of a pixel, 1 sigma, of 255
Shown = tuple[U8, F64]  # a picture, and joints


def sized(width: int) -> CameraConfig:
    """The arm's camera at another resolution."""
    eye, scale = ARM.camera, width / ARM.camera.width
    names = ("fx", "fy", "cx", "cy", "height")
    return eye.model_copy(
        update={"width": width, **{n: type(getattr(eye, n))(getattr(eye, n) * scale) for n in names}}
    )


def pinhole(camera: CameraConfig) -> CameraModel:
    """Its lens."""
    return CameraModel(**{n: getattr(camera, n) for n in ("width", "height", "fx", "fy", "cx", "cy")})


class SceneLab:
    """Pictures of a cell."""

    def __init__(self, width: int) -> None:
        self._camera, self._rng = sized(width), np.random.default_rng(0)
        self._cell = BulletCell(ARM, load_task("reach"), load_world("tabletop"))

    def check(self, limits: DriftLimits) -> Looker:
        """A check with its reference."""
        rgb, joints = self.shown(0, 0.0, spread=0.0)
        reference = Observation(0.0, rgb, JointState(0.0, joints, np.zeros_like(joints)))
        return SceneCheck(ARM, pinhole(self._camera), camera_pose(self._camera), reference, limits)

    def shown(self, seed: int, degrees: float, spread: float = SPREAD) -> Shown:
        """Another scene before a camera turned by `degrees`, in a direction that goes round with the seed."""
        cell = self._cell
        cell.reset(seed)
        joints = cell.joint_state().position + self._rng.uniform(-spread, spread, len(ARM.joints))
        for joint, value in zip(cell._scene.joints, joints, strict=True):
            pybullet.resetJointState(cell._scene.arm, joint, value, physicsClientId=cell.client)
        picture = render(
            cell.client, turned(self._camera, degrees, seed), cell.draw.light, cell.draw.light_direction
        )
        noisy = picture + self._rng.normal(0.0, NOISE, picture.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8), joints

    def close(self) -> None:
        """Free the simulator."""
        self._cell.close()


def turned(camera: CameraConfig, degrees: float, direction: float) -> CameraConfig:
    """The camera looking past its point by an angle."""
    pose, reach = camera_pose(camera), math.dist(camera.position, camera.look_at)
    across = math.cos(direction) * pose[:3, 0] + math.sin(direction) * pose[:3, 1]
    x, y, z = (np.asarray(camera.look_at) + reach * math.tan(math.radians(degrees)) * across).tolist()
    return camera.model_copy(update={"look_at": (x, y, z)})


class BoardLab:
    """Pictures of a board on the tool."""

    def __init__(self, width: int) -> None:
        self._kinematics, self._rng = Kinematics(ARM), np.random.default_rng(0)
        tool = self._kinematics.mount(self._kinematics.home)[0]
        self._eye = posed(Rotation.from_euler("xyz", (-1.9, 0.1, 1.5)).as_matrix(), np.array([1.2, 0.1, 0.6]))
        shown = posed(Rotation.from_euler("xyz", (0.25, -0.3, 0.1)).as_matrix(), np.array([-0.12, -0.1, 0.6]))
        self._board = inverse(tool) @ self._eye @ shown
        self._camera = CameraModel(
            width=width,
            height=width * 3 // 4,
            fx=0.9 * width,
            fy=0.9 * width,
            cx=width / 2,
            cy=width * 3 / 8,
            distortion=(-0.2, 0.05, 1e-3, -5e-4, 0.0),
        )
        self._studio = Studio(Board(BOARD), self._camera)

    def check(self, limits: DriftLimits) -> Looker:
        """A check that knows the truth."""
        found = HandEye(
            arm=ARM.name,
            setup="eye_to_hand",
            parent=ARM.base_frame,
            child="camera",
            camera=transform(self._eye),
            board_parent=ARM.tool_frame,
            board=transform(self._board),
            translation_std=(0.0, 0.0, 0.0),
            rotation_std=(0.0, 0.0, 0.0),
        )
        return DriftCheck(ARM, self._camera, found, BOARD, limits)

    def shown(self, seed: int, degrees: float) -> Shown:
        """The arm at another posture before a camera turned by `degrees`."""
        joints = self._kinematics.home + self._rng.uniform(-0.04, 0.04, len(ARM.joints))
        axis = np.array([math.cos(seed), math.sin(seed), 0.0])
        nudge = posed(Rotation.from_rotvec(math.radians(degrees) * axis).as_matrix(), np.zeros(3))
        pose = inverse(self._eye @ nudge) @ self._kinematics.mount(joints)[0] @ self._board
        return self._studio.picture(pose, Flaws(noise=NOISE), self._rng), joints

    def close(self) -> None:
        """There is nothing to free."""


LABS: dict[str, Callable[[int], Any]] = {"scene": SceneLab, "board": BoardLab}


def seen(kind: str, width: int, looks: int) -> Iterator[dict[str, Any]]:
    """For each nudge: the angles of single looks, and how often the verdict on them is which."""
    with closing(LABS[kind](width)) as lab:
        one = lab.check(DriftLimits(looks=1, evidence=1))
        for turn in TURNS:
            whole = lab.check(DriftLimits())
            angles, states = [], []
            for seed in range(1, looks + 1):
                picture = lab.shown(seed, turn)
                angles.append(one.look(*picture).angle)
                states.append(whole.look(*picture).state)
            median, p95, most = np.quantile(angles, (0.5, 0.95, 1.0)).round(3).tolist()
            counted = {state: states.count(state) for state in sorted(set(states))}
            yield {
                "check": kind,
                "width_px": width,
                "turned_deg": turn,
                "looks": looks,
                "single_look_deg": {"median": median, "p95": p95, "max": most},
                "verdicts": counted,
            }


def cost(kind: str, width: int) -> dict[str, Any]:
    """CPU time of a look."""
    with closing(LABS[kind](width)) as lab:
        check, spent = lab.check(DriftLimits()), []
        for seed in range(1, 10):
            picture = lab.shown(seed, 0.0)
            began = time.process_time()
            check.look(*picture)
            spent.append((time.process_time() - began) * 1e3)
    return {
        "check": kind,
        "width_px": width,
        "median_ms": round(float(np.median(spent)), 1),
        "max_ms": round(max(spent), 1),
    }


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--looks", type=int, default=60)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    rows = [
        row
        for kind, width in (("scene", 160), ("scene", 640), ("board", 640))
        for row in seen(kind, width, chosen.looks)
    ]
    costs = [cost(kind, width) for kind in LABS for width in WIDTHS]
    found = {"limits": DriftLimits().model_dump(), "seen": rows, "cost": costs}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
