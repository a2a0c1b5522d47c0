"""Joint positions that a hand-eye calibration learns much from, and that the arm can safely take."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TypeGuard

import numpy as np
from scipy.spatial.transform import Rotation

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.hand_eye_model import Sight, SightModel, board_in_camera
from loopwm_ros.calibration.hand_eye_refine import FIRST
from loopwm_ros.calibration.in_view import MARGIN, outline, well_in_view
from loopwm_ros.calibration.joint_noise import Whitening
from loopwm_ros.calibration.samples import check_spread
from loopwm_ros.config import ArmConfig, Box
from loopwm_ros.config.calibration import BoardSettings, CameraModel, HandEye, Setup
from loopwm_ros.control.clearance import Clearance
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import CalibrationError
from loopwm_ros.processing.lens import rays
from loopwm_ros.processing.poses import inverse, matrix, posed
from loopwm_ros.types import F64

TRIES, POOL = 300, 6  # board poses drawn for each pose wanted, and of these looked at, at most
TILT = 40.0  # of the board against the line of sight, at most [degrees]
NEAR, FAR = 0.7, 1.3  # distance of the board from the camera, as a share of that at home
FULL = 0.7  # of the picture's smaller side, that the board's diagonal takes up at most
PATH_STEP = 0.05  # of a path that is checked [rad]
FINEST = 20.0  # side of a marker, or of a checkerboard's square, at least [px]
_KNOWN = np.array([*(0.1,) * 3, *(0.05,) * 3] * 2)  # 1-sigma of the guess: turns [rad], shifts [m]
_OFFSET = 0.01  # 1-sigma of joint offsets [rad]


def suggest_poses(
    arm: ArmConfig,
    camera: CameraModel,
    board: BoardSettings,
    setup: Setup,
    guess: HandEye,
    count: int,
    seed: int,
) -> list[F64]:
    """Joint vectors (n,) [rad], in the order to take them.

    Each is inside the joints' limits and the workspace, and the board is wholly in view, for a camera and
    board that are about where `guess` says. The straight way there in joint space, from the one before as
    from home, is clear of the arm itself and of keep-out boxes. Of many such, those are taken that add most
    to what is known of camera, board and joint offsets (greedy D-optimal). The board, the camera and their
    mounts are no part of the arm's collision shapes: only a board that the arm holds is kept from the boxes.

    Raises:
        CalibrationError: not so many were found, or they turn too little.
    """
    scene = _Scene(arm, camera, Board(board), setup, guess)
    rng = np.random.default_rng(seed)
    drawn = (scene.draw(rng) for _ in range(TRIES * count))
    views = islice((view for view in drawn if view is not None), POOL * count)
    chosen = scene.choose(list(views), count)
    if len(chosen) < count:
        raise CalibrationError(
            f"{len(chosen)} of {count} poses found that the arm can take without a collision and with the "
            f"board wholly in view and its markers or squares at least {FINEST:g} px wide; ask for fewer, "
            "place board and camera so that the board is well in view with the arm at home, take a larger "
            "board, or give a better guess of where they are"
        )
    check_spread(np.stack([scene.kinematics.mount(joints)[0][:3, :3] for joints in chosen]))
    return chosen


@dataclass(frozen=True)
class _View:
    joints: F64
    information: F64  # of camera, board and joint offsets, (12 + n, 12 + n)


class _Scene:
    """Arm, camera and board as guessed."""

    def __init__(
        self, arm: ArmConfig, camera: CameraModel, board: Board, setup: Setup, guess: HandEye
    ) -> None:
        self.kinematics = Kinematics(arm)
        self._clearance = Clearance(arm, self.kinematics)
        self._arm, self._camera, self._board, self._setup = arm, camera, board, setup
        self._camera_place, self._board_place = matrix(guess.camera), matrix(guess.board)
        self._rod = 0.0 if arm.rod is None else arm.rod.length  # [m]
        settings = board.settings
        self._size = np.array([settings.columns, settings.rows]) * settings.square  # [m]
        self._grid = outline(settings)
        usual = board_in_camera(self.kinematics, guess, self.kinematics.home)
        self._facing = float(np.arctan2(usual[1, 0], usual[0, 0]))  # how the board is turned at home [rad]
        self._distance = float(np.linalg.norm(usual[:3, :3] @ self._grid.mean(axis=0) + usual[:3, 3]))

    def draw(self, rng: np.random.Generator) -> _View | None:
        """A pose of the arm for a board pose drawn before the camera; None: the arm cannot take it."""
        pose = self._before_camera(rng)
        spread = rng.normal(0.0, 0.3, len(self.kinematics.home))
        target = self._camera_place @ pose @ inverse(self._board_place)
        tool = target if self._setup == "eye_to_hand" else inverse(target)
        tip = tool[:3, 3] + self._rod * tool[:3, 2]
        if not (self._in_workspace(tip) and self._in_view(pose) and self._board_clear(tool)):
            return None
        joints = self.kinematics.joints_at(tool, self.kinematics.home + spread)
        return _View(joints, self._information(joints)) if self._allowed(joints) else None

    def choose(self, views: list[_View], count: int) -> list[F64]:
        """Greedily those that make the determinant of what is known largest, each with a clear way there."""
        known = np.diag(1.0 / np.concatenate([_KNOWN, np.full(len(self._arm.joints), _OFFSET)]) ** 2)
        chosen: list[F64] = []
        here = self.kinematics.home
        left = list(views)
        while left and len(chosen) < count:
            gains = [np.linalg.slogdet(known + view.information)[1] for view in left]
            for index in np.argsort(gains)[::-1].tolist():
                if self._clear(here, left[index].joints):
                    view = left.pop(index)
                    break
            else:
                break
            chosen.append(view.joints)
            known, here = known + view.information, view.joints
        return chosen

    def _before_camera(self, rng: np.random.Generator) -> F64:
        """A board's pose in the optical frame: anywhere in the picture, tilted and turned."""
        camera = self._camera
        smaller = min(camera.width / camera.fx, camera.height / camera.fy)
        nearest = float(np.linalg.norm(self._size)) / (FULL * smaller)
        depth = max(nearest * rng.uniform(1.0, FAR), self._distance * rng.uniform(NEAR, FAR))
        half = float(self._size.min()) / 2.0 / depth * np.array([camera.fx, camera.fy])
        size = np.array([camera.width, camera.height])
        low = MARGIN * size + half
        centre = depth * rays(camera, rng.uniform(low, size - low)[None])[0]
        lean, about = np.radians(rng.uniform(0.0, TILT)), rng.uniform(0.0, 2.0 * np.pi)
        tilt = Rotation.from_rotvec(lean * np.array([np.cos(about), np.sin(about), 0.0]))
        turn = tilt * Rotation.from_euler("z", self._facing + rng.uniform(-0.5, 0.5) * np.pi)
        middle = np.array([*self._size, 0.0]) / 2.0
        return posed(turn.as_matrix(), centre - turn.apply(middle))

    def _allowed(self, joints: F64 | None) -> TypeGuard[F64]:
        """Is there such a position, nothing too near anything there, and the way from home clear?"""
        if joints is None:
            return False
        nearest = self._clearance.nearest(joints)
        apart = nearest is None or nearest.distance >= self._arm.clearance
        return apart and self._clear(self.kinematics.home, joints)

    def _in_workspace(self, tool: F64) -> bool:
        box = self._arm.workspace
        return bool((tool >= box.low).all() and (tool <= box.high).all())

    def _in_view(self, pose: F64) -> bool:
        return well_in_view(self._camera, self._board.settings, self._grid, pose, FINEST)

    def _board_clear(self, tool: F64) -> bool:
        """Is a board that the arm holds outside of the keep-out boxes, with its tool frame there (4, 4)?"""
        if self._setup == "eye_in_hand":
            return True
        placed = tool @ self._board_place
        places = self._grid @ placed[:3, :3].T + placed[:3, 3]
        return not any(_enters(places, box, self._arm.clearance) for box in self._arm.keep_out.values())

    def _clear(self, here: F64, there: F64) -> bool:
        steps = max(2, int(np.ceil(np.abs(there - here).max() / PATH_STEP)) + 1)
        path = here + np.linspace(0.0, 1.0, steps)[:, None] * (there - here)
        if self._clearance.blocked(path) is not None:
            return False
        held = path if self._setup == "eye_to_hand" else ()
        return all(self._board_clear(self.kinematics.mount(each)[0]) for each in held)

    def _information(self, joints: F64) -> F64:
        sight = Sight(self._board.corners, np.zeros((len(self._board.corners), 2)), joints)
        model = SightModel(self.kinematics, self._camera, self._setup, [sight])
        still = np.zeros(len(joints))
        expected = model.expected(self._camera_place, self._board_place, still)
        white = Whitening(expected.joints, model.rows, FIRST)(
            np.column_stack([expected.camera, expected.board, expected.joints])
        )
        found: F64 = white.T @ white
        return found


def _enters(places: F64, box: Box, clearance: float) -> bool:
    low, high = np.asarray(box.low) - clearance, np.asarray(box.high) + clearance
    return bool(((places > low) & (places < high)).all(axis=1).any())
