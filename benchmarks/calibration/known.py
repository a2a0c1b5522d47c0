"""An arm with a camera and a board, all known exactly; and what a calibration would be given of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from benchmarks.calibration.rendering import Flaws, Studio
from loopwm_ros.calibration.board import Board, Detection
from loopwm_ros.calibration.hand_eye_model import link
from loopwm_ros.config import ArmConfig, load_arm
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye, Setup
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.lens import project_through
from loopwm_ros.processing.poses import apart, inverse, matrix, moved, posed, transform
from loopwm_ros.types import F64

SIZE = {"width": 800, "height": 600, "cx": 402.6, "cy": 296.1}
CAMERAS = {
    "plumb_bob": CameraModel(**SIZE, fx=780.0, fy=778.5, distortion=(-0.2, 0.06, 0.0006, -0.0004, 0.0)),
    "equidistant": CameraModel(
        **SIZE, fx=640.0, fy=639.0, lens="equidistant", distortion=(0.02, -0.008, 0.002, 0.0)
    ),
}
HELD = BoardSettings(columns=5, rows=4, square=0.04, marker=0.031, dictionary="DICT_4X4_50")
LYING = BoardSettings(columns=8, rows=6, square=0.03, marker=0.023, dictionary="DICT_4X4_50")
BESIDE = (1.1, 0.0, 0.7)  # a camera that looks at the tool, in the base frame [m]
ON_HAND = (0.06, 0.0, -0.05)  # a camera that looks along the tool, in the tool frame [m]
TURN, SHIFT = 0.08, 0.02  # 1-sigma of where camera and board are from cell to cell [rad], [m]
ROUGH_TURN, ROUGH_SHIFT = 0.04, 0.015  # of a guess [rad], [m]


@dataclass(frozen=True)
class Cell:
    """One arrangement."""

    arm: ArmConfig
    setup: Setup
    camera: CameraModel
    board: Board
    camera_place: F64  # in its parent (4, 4)
    board_place: F64  # in its own (4, 4)

    @cached_property
    def kinematics(self) -> Kinematics:
        """Of the arm."""
        return Kinematics(self.arm)

    def pose(self, joints: F64) -> F64:
        """Of the board in the optical frame (4, 4), at true joints (n,) [rad]."""
        linked, _ = link(self.kinematics, self.setup, joints)
        found: F64 = inverse(self.camera_place) @ linked @ self.board_place
        return found

    def drawn(self, joints: F64, rng: np.random.Generator) -> Detection:
        """Corners found in a picture with blur, noise and uneven light."""
        flaws = Flaws(rng.uniform(0.3, 1.0), rng.uniform(1.0, 4.0), rng.uniform(0.6, 1.0))
        return self.board.detect(
            _studio(self.board.settings, self.camera).picture(self.pose(joints), flaws, rng)
        )

    def corners(self, joints: F64, noise: float, rng: np.random.Generator) -> Detection:
        """True corners with noise [px], without a picture."""
        pose, points = self.pose(joints), self.board.corners
        pixels = project_through(self.camera, points @ pose[:3, :3].T + pose[:3, 3])
        return Detection(np.arange(len(points)), points, pixels + rng.normal(0.0, noise, pixels.shape))

    def known(self, camera: F64, board: F64, std: tuple[float, float] = (0.0, 0.0)) -> HandEye:
        """A calibration that says so, with 1-sigma of turns [rad] and shifts [m]."""
        frames = (self.arm.base_frame, self.arm.tool_frame)
        parent, other = frames if self.setup == "eye_to_hand" else frames[::-1]
        return HandEye(
            arm=self.arm.name,
            setup=self.setup,
            parent=parent,
            child=self.arm.camera.frame,
            camera=transform(camera),
            board_parent=other,
            board=transform(board),
            rotation_std=(std[0],) * 3,
            translation_std=(std[1],) * 3,
        )

    def guess(self, rng: np.random.Generator) -> HandEye:
        """Where camera and board are, about."""
        return self.known(
            *(
                moved(place, rng.normal(0.0, ROUGH_TURN, 3), rng.normal(0.0, ROUGH_SHIFT, 3))
                for place in (self.camera_place, self.board_place)
            )
        )

    def error(self, found: HandEye) -> tuple[F64, F64]:
        """Of a calibration's camera: turn (3,) [rad] and shift (3,) [m], in the parent's axes."""
        return apart(self.camera_place, matrix(found.camera))


@lru_cache(maxsize=4)
def _studio(board: BoardSettings, camera: CameraModel) -> Studio:
    return Studio(Board(board), camera)


def cell(arm: str, setup: Setup, lens: str, seed: int) -> Cell:
    """An arrangement drawn from usual ones, with the board well in view at home."""
    settings, rng = load_arm(arm), np.random.default_rng(seed)
    home, _ = Kinematics(settings).mount(np.asarray(settings.home))
    board = Board(HELD if setup == "eye_to_hand" else LYING)
    middle = np.array([board.settings.columns, board.settings.rows, 0.0]) * board.settings.square / 2.0
    if setup == "eye_to_hand":
        tool = tuple(home[:3, 3].tolist())
        camera = camera_pose(settings.camera.model_copy(update={"position": BESIDE, "look_at": tool}))
        seen = posed(camera[:3, :3], home[:3, 3] - camera[:3, :3] @ middle)
        place = inverse(home) @ seen
    else:
        camera = posed(np.eye(3), np.array(ON_HAND))
        down = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
        centre = np.array([*home[:2, 3], 0.0])
        place = posed(down, centre - down @ middle)
    turns, shifts = rng.normal(0.0, TURN, (2, 3)), rng.normal(0.0, SHIFT, (2, 3))
    if setup == "eye_in_hand":
        turns[1, :2], shifts[1, 2] = 0.0, 0.0  # it lies on the table
    return Cell(
        settings,
        setup,
        CAMERAS[lens],
        board,
        moved(camera, turns[0], shifts[0]),
        moved(place, turns[1], shifts[1]),
    )
