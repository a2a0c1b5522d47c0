"""A rendered cell: what a user would photograph and record for each step, with the truth known.

    python -m benchmarks.calibration.example_cell --out FOLDER

writes `lens/` and `hand_eye/` (pictures, joints.yaml), `motion/` (rosbag2) and `truth/` (camera, hand-eye).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from benchmarks.calibration import shoot
from benchmarks.calibration.rendering import Flaws, Studio
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.calibration.guessing import assumed
from loopwm_ros.calibration.hand_eye_files import write_hand_eye
from loopwm_ros.calibration.hand_eye_model import board_in_camera
from loopwm_ros.calibration.pictures import write_picture
from loopwm_ros.calibration.sources import JOINTS
from loopwm_ros.config import ArmConfig, CameraConfig, load_arm
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye, Setup
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data.writer import EpisodeWriter
from loopwm_ros.processing.lens import project_through
from loopwm_ros.processing.poses import matrix, moved, transform
from loopwm_ros.types import F64, U8, CameraFrame, JointState

TURN = 0.9  # of joints about home, at most [rad]
FACING, MARGIN = 0.7, 12.0  # cosine of the steepest view of the board; free of corners [px]
FLAWS = Flaws(blur=0.6, noise=2.0, light=0.8)
JOINT_RATE, FRAME_RATE = 100.0, 10.0  # of the recorded motion [Hz]
SWING, PERIODS = 0.08, (1.7, 2.3, 1.3, 1.9, 2.9, 1.5, 2.1)  # of its joints [rad], [s]
JOINT_NOISE = 1e-4  # [rad]
CLOSER = 0.15  # than the arm's file has its camera, so that the board is large enough in the picture [m]
OFFSET = 0.020  # of the camera's clock: stamps are this much too early [s]


@dataclass(frozen=True)
class ExampleCell:
    """One arm, camera and board; where camera and board truly are is in `truth`."""

    arm: ArmConfig
    camera: CameraModel
    board: BoardSettings
    truth: HandEye

    @classmethod
    def usual(cls, setup: Setup = "eye_to_hand", width: int = 640, arm: str = "panda") -> ExampleCell:
        """Not quite what the arm's file and the usual way to mount a board say."""
        settings, scale = load_arm(arm), width / 640
        camera = CameraModel(
            width=width,
            height=width * 3 // 4,
            fx=760.0 * scale,
            fy=762.0 * scale,
            cx=324.0 * scale,
            cy=236.0 * scale,
            distortion=(-0.21, 0.07, 0.0006, -0.0004, -0.01),
        )
        board = BoardSettings(columns=7, rows=5, square=0.036, marker=0.0264)  # fills A4
        rough = assumed(settings, board, setup)
        at = matrix(rough.camera)
        closer = at[:3, 2] * (CLOSER if setup == "eye_to_hand" else 0.0)
        placed = {
            "camera": transform(
                moved(at, np.array([0.03, -0.04, 0.02]), np.array([0.03, 0.02, -0.04]) + closer)
            ),
            "board": transform(
                moved(matrix(rough.board), np.array([0.02, 0.03, -0.04]), np.array([0.01, -0.02, 0.02]))
            ),
        }
        truth = rough.model_copy(update={**placed, "lens": camera})
        return cls(settings, camera, board, truth)

    def poses(self, count: int, seed: int) -> list[F64]:
        """Joints (n,) [rad] about home at which the whole board is seen; surroundings do not count."""
        rng, board, kinematics = np.random.default_rng(seed), Board(self.board), Kinematics(self.arm)
        size = np.array([self.camera.width, self.camera.height])
        found: list[F64] = []
        while len(found) < count:
            joints = kinematics.home + rng.uniform(-TURN, TURN, len(kinematics.home))
            pose = board_in_camera(kinematics, self.truth, joints)
            seen = project_through(self.camera, board.corners @ pose[:3, :3].T + pose[:3, 3])
            if pose[2, 2] > FACING and ((seen > MARGIN) & (seen < size - MARGIN)).all():
                found.append(joints)
        return found

    def picture(self, studio: Studio, joints: F64, rng: np.random.Generator) -> U8:
        """What the camera sees at joints (n,) [rad]."""
        return studio.picture(board_in_camera(Kinematics(self.arm), self.truth, joints), FLAWS, rng)

    def studio(self) -> Studio:
        """Draws this board through this camera."""
        return Studio(Board(self.board), self.camera)


def write_lens_pictures(cell: ExampleCell, folder: Path, count: int, seed: int) -> None:
    """Pictures of the board held by hand: `count` good ones, one blurred, one twice, one without a board."""
    rng = np.random.default_rng(seed)
    shots = shoot.good(cell.studio(), Board(cell.board), cell.camera, rng)
    images = [next(shots).image for _ in range(count)]
    images += [
        cv2.GaussianBlur(images[0], (0, 0), 2.0).astype(np.uint8),
        images[1],
        np.full_like(images[0], 120),
    ]
    for number, image in enumerate(images):
        write_picture(folder / f"{number:03d}.png", image)


def write_hand_eye_pictures(cell: ExampleCell, folder: Path, count: int, seed: int) -> None:
    """Pictures at `count` poses, and the joints at each in joints.yaml."""
    rng, studio = np.random.default_rng(seed), cell.studio()
    positions = {}
    for number, joints in enumerate(cell.poses(count, seed)):
        write_picture(folder / f"{number:03d}.png", cell.picture(studio, joints, rng))
        measured = joints + rng.normal(0.0, JOINT_NOISE, len(joints))
        positions[f"{number:03d}.png"] = [round(float(value), 6) for value in measured]
    text = yaml.safe_dump({"joints": list(cell.arm.joints), "positions": positions}, default_flow_style=None)
    (folder / JOINTS).write_text(text, encoding="utf-8")


def write_motion(cell: ExampleCell, path: Path, seconds: float, seed: int) -> None:
    """A recording in which the arm swings to and fro; the camera's stamps are OFFSET too early."""
    rng, studio = np.random.default_rng(seed), cell.studio()
    middle = cell.poses(1, seed)[0]
    count = len(cell.arm.joints)

    def joints_at(time: float) -> F64:
        return np.asarray(middle + SWING * np.sin(2.0 * np.pi * time / np.resize(PERIODS, count)))

    writer = EpisodeWriter(path, cell.arm, _as_config(cell))
    every = round(JOINT_RATE / FRAME_RATE)
    for tick in range(round(seconds * JOINT_RATE)):
        time = 1.0 + tick / JOINT_RATE
        position = joints_at(time) + rng.normal(0.0, JOINT_NOISE, count)
        writer.joint_state(JointState(time, position, np.zeros(count)))
        if tick % every == 0:
            image = np.repeat(cell.picture(studio, joints_at(time), rng)[:, :, None], 3, axis=2)
            writer.frame(CameraFrame(time - OFFSET, image))
    writer.close({"seed": str(seed)})


def write_stops(cell: ExampleCell, path: Path, count: int, seed: int) -> None:
    """A recording in which the arm goes from pose to pose and stands still at each."""
    rng, studio = np.random.default_rng(seed), cell.studio()
    poses, stay, go = cell.poses(count, seed), 1.0, 0.5
    writer = EpisodeWriter(path, cell.arm, _as_config(cell))
    times = np.cumsum([0.0, *[stay, go] * count])
    corners = np.repeat(poses, 2, axis=0)
    for tick in range(round(times[-2] * JOINT_RATE)):
        time = tick / JOINT_RATE
        joints = np.array([np.interp(time, times[: len(corners)], column) for column in corners.T])
        writer.joint_state(
            JointState(time, joints + rng.normal(0.0, JOINT_NOISE, len(joints)), np.zeros(len(joints)))
        )
        if tick % 50 == 25:
            image = np.repeat(cell.picture(studio, joints, rng)[:, :, None], 3, axis=2)
            writer.frame(CameraFrame(time, image))
    writer.close({"seed": str(seed)})


def _as_config(cell: ExampleCell) -> CameraConfig:
    camera = cell.camera
    return cell.arm.camera.model_copy(
        update={key: getattr(camera, key) for key in ("width", "height", "fx", "fy", "cx", "cy")}
    )


def main() -> None:
    """Write all that the commands of docs/calibration.md need."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder; it must not exist")
    parser.add_argument("--setup", default="eye_to_hand", choices=("eye_to_hand", "eye_in_hand"))
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--views", type=int, default=20, help="of the lens (default: %(default)s)")
    parser.add_argument("--poses", type=int, default=15, help="of the arm (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of motion (default: %(default)s)")
    parser.add_argument("--width", type=int, default=640, help="of pictures [px] (default: %(default)s)")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True)
    cell = ExampleCell.usual(chosen.setup, chosen.width)
    write_lens_pictures(cell, chosen.out / "lens", chosen.views, chosen.seed)
    write_hand_eye_pictures(cell, chosen.out / "hand_eye", chosen.poses, chosen.seed)
    write_motion(cell, chosen.out / "motion", chosen.seconds, chosen.seed)
    (chosen.out / "truth").mkdir()
    write_camera_info(chosen.out / "truth" / "camera_info.yaml", cell.camera, "camera")
    write_hand_eye(chosen.out / "truth", cell.truth)


if __name__ == "__main__":
    main()
