"""Where corners of a board are expected in pictures, and how that changes with camera, board and joints.

The camera is fixed in one of two frames, the board in the other one: base and tool frame. With X the camera
in its parent, Y the board in its own, and M the board's parent in the camera's, a board is seen at X^-1 M Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loopwm_ros.config import ArmConfig
from loopwm_ros.config.calibration import CameraModel, HandEye, Setup
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.processing.lens import project_through
from loopwm_ros.processing.poses import cross_matrix, inverse, matrix
from loopwm_ros.types import F64

_STEP = 1e-6  # of numerical derivatives, as a share of the depth or the focal length
LOST = 1e4  # residual of a corner that would be behind the camera [px]


@dataclass(frozen=True)
class Sight:
    """Corners of a board in one picture, and the joints then."""

    points: F64  # on the board [m], (m, 3)
    pixels: F64  # (m, 2)
    joints: F64  # [rad], (n,)


@dataclass(frozen=True)
class Expected:
    """Residuals of all corners, seen minus expected, and their derivatives: two rows a corner."""

    residuals: F64  # [px], (2 m,)
    camera: F64  # by turn and shift as in `moved` [px/rad], [px/m], (2 m, 6)
    board: F64  # likewise, (2 m, 6)
    joints: F64  # by each joint of the corner's own sight [px/rad], (2 m, n)


def frames(arm: ArmConfig, setup: Setup) -> tuple[str, str]:
    """Parent of the camera, and of the board."""
    return (arm.base_frame, arm.tool_frame) if setup == "eye_to_hand" else (arm.tool_frame, arm.base_frame)


def offsets(arm: ArmConfig, result: HandEye) -> F64:
    """Joint offsets of a calibration in the arm's order (n,) [rad], to add to measured positions."""
    return np.array([result.joint_offsets.get(name, 0.0) for name in arm.joints])


def board_in_camera(kinematics: Kinematics, result: HandEye, joints: F64) -> F64:
    """Pose of the board in the optical frame (4, 4), at corrected joints (n,) [rad]."""
    linked, _ = link(kinematics, result.setup, joints)
    pose: F64 = inverse(matrix(result.camera)) @ linked @ matrix(result.board)
    return pose


def link(kinematics: Kinematics, setup: Setup, joints: F64) -> tuple[F64, F64]:
    """The board's parent in the camera's parent (4, 4), and its Jacobian (6, n), along the latter's axes.

    The Jacobian is of the motion of the board's parent as it passes the camera parent's origin.
    """
    tool, jacobian = kinematics.mount(joints)
    linear, angular = jacobian[:3], jacobian[3:]
    if setup == "eye_to_hand":
        return tool, np.vstack([linear - np.cross(angular, tool[:3, 3], axis=0), angular])
    back = inverse(tool)
    turned = back[:3, :3]
    return back, np.vstack([-turned @ linear, -turned @ angular])


class SightModel:
    """Expects corners of one board at many joint positions of one arm."""

    def __init__(
        self, kinematics: Kinematics, camera: CameraModel, setup: Setup, sights: Sequence[Sight]
    ) -> None:
        self._kinematics, self._camera, self._setup = kinematics, camera, setup
        self.joints: F64 = np.stack([sight.joints for sight in sights])  # [rad], (m, n)
        self._points = np.concatenate([sight.points for sight in sights])
        self._pixels = np.concatenate([sight.pixels for sight in sights])
        counts = [len(sight.points) for sight in sights]
        self._of = np.repeat(np.arange(len(sights)), counts)
        ends = 2 * np.cumsum(counts)
        self.rows = [slice(end - 2 * n, end) for end, n in zip(ends, counts, strict=True)]  # of each sight

    def links(self, joint_offsets: F64) -> tuple[F64, F64]:
        """As `link`, of all sights: (m, 4, 4), (m, 6, n)."""
        found = [link(self._kinematics, self._setup, joints) for joints in self.joints + joint_offsets]
        return np.stack([pose for pose, _ in found]), np.stack([jacobian for _, jacobian in found])

    def residuals(self, camera: F64, board: F64, joint_offsets: F64) -> F64:
        """Seen minus expected (2 m,) [px], for camera and board (4, 4) in their parents."""
        placed = self._placed(camera, board, self.links(joint_offsets)[0])
        return self._differences(placed[0])

    def expected(self, camera: F64, board: F64, joint_offsets: F64) -> Expected:
        """Residuals with their derivatives."""
        links, jacobians = self.links(joint_offsets)
        local, there, arms = self._placed(camera, board, links)
        lens = -self._lens(local)  # residuals have the other sign, (m, 2, 3)
        back = lens @ camera[:3, :3].T  # by motion in the camera's parent
        beyond = back @ links[self._of, :3, :3]  # by motion in the board's parent
        by_camera = np.concatenate([back @ cross_matrix(there - camera[:3, 3]), -back], axis=2)
        by_board = np.concatenate([-beyond @ cross_matrix(arms), beyond], axis=2)
        turns = jacobians[self._of, 3:]
        shifts = jacobians[self._of, :3] - cross_matrix(there) @ turns
        rows = 2 * len(there)
        return Expected(
            self._differences(local),
            by_camera.reshape(rows, 6),
            by_board.reshape(rows, 6),
            (back @ shifts).reshape(rows, -1),
        )

    def by_focal(self, camera: F64, board: F64, joint_offsets: F64) -> F64:
        """Derivative of the residuals by the logarithm of both focal lengths (2 m,) [px]."""
        local = self._placed(camera, board, self.links(joint_offsets)[0])[0]
        fx, fy = self._camera.fx, self._camera.fy
        longer, shorter = (
            project_through(self._camera.model_copy(update={"fx": fx * scale, "fy": fy * scale}), local)
            for scale in (1.0 + _STEP, 1.0 - _STEP)
        )
        return np.nan_to_num((shorter - longer) / (2.0 * _STEP)).ravel()

    def _placed(self, camera: F64, board: F64, links: F64) -> tuple[F64, F64, F64]:
        """Corners in the optical frame, in the camera's parent, and turned as the board, (m, 3) each."""
        arms = self._points @ board[:3, :3].T
        linked = links[self._of]
        there = np.einsum("mij,mj->mi", linked[:, :3, :3], arms + board[:3, 3]) + linked[:, :3, 3]
        return (there - camera[:3, 3]) @ camera[:3, :3], there, arms

    def _differences(self, local: F64) -> F64:
        seen = project_through(self._camera, local)
        return np.nan_to_num(self._pixels - seen, nan=LOST, posinf=LOST, neginf=-LOST).ravel()

    def _lens(self, local: F64) -> F64:
        """Derivative of pixels by places in the optical frame, (m, 2, 3) [px/m]; 0 behind the camera."""
        steps = _STEP * np.abs(local[:, 2])
        columns = []
        for axis in np.eye(3):
            shift = steps[:, None] * axis
            ahead, behind = (project_through(self._camera, local + sign * shift) for sign in (1, -1))
            columns.append((ahead - behind) / np.maximum(2.0 * steps, 1e-12)[:, None])
        return np.nan_to_num(np.stack(columns, axis=2))
