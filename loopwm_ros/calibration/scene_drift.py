"""Has a fixed camera moved? What stands still in its picture, held against one from when it was calibrated.

Edges outside the arm are aligned by the enhanced correlation coefficient (G. D. Evangelidis, E. Z. Psarakis,
2008, in OpenCV), which does not mind other light.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from loopwm_ros.calibration.drift import check_size
from loopwm_ros.calibration.drift_limits import Drift, DriftLimits, Looks
from loopwm_ros.config import ArmConfig
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.processing.lens import project_through, rays
from loopwm_ros.processing.poses import inverse
from loopwm_ros.types import F32, F64, U8, Observation

WIDTH = 320  # of the pictures that are compared [px]; larger ones are shrunk
ARM_RADIUS = 0.13  # around the lines from joint to joint, which is not compared [m]
SMOOTH = 2.0  # of the edges, 1 sigma [px]
LEAST_MATCH = 0.5  # correlation of the aligned edges, below which the scene is another one
LEAST_SHARE = 0.05  # of what the edges say in their poorest direction, of what they say in their richest
LEAST_OPEN = 0.2  # of the picture that must be free of the arm
LOST = 45.0  # angle that counts where the scene is not known again [deg]
_END = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-5)
Mask = NDArray[np.uint8]


class SceneCheck:
    """Compares pictures with one reference; of a camera that stands beside the arm."""

    def __init__(
        self, arm: ArmConfig, camera: CameraModel, pose: F64, reference: Observation, limits: DriftLimits
    ) -> None:
        """`pose`: the camera's in the base frame (4, 4), to know where the arm is seen.

        Raises:
            SensorError: the reference has another size than the calibrated camera's pictures.
            ConfigError: there is too little to be seen in it.
        """
        check_size(reference.rgb, camera)
        self._camera, self._back = camera, inverse(pose)
        self._kinematics = Kinematics(arm)
        self._scale = min(1.0, WIDTH / camera.width)
        self._size = round(camera.width * self._scale), round(camera.height * self._scale)
        middle = np.mean([arm.workspace.low, arm.workspace.high], axis=0)
        self._distance = float(np.linalg.norm(middle - pose[:3, 3]))
        self._edges = self._prepared(reference.rgb)
        self._open = self._without_arm(reference.joints.position)
        self._looks = Looks(limits)
        _check_content(self._edges, self._open)

    def clear(self) -> None:
        """Forget all looks."""
        self._looks.clear()

    def look(self, image: U8, joints: F64) -> Drift:
        """Look once: a picture (h, w, 3), and measured joints (n,) [rad] at its stamp.

        Raises:
            SensorError: it has another size than the calibrated camera's pictures, or the arm covers most of
                it; nothing is learned from that.
        """
        check_size(image, self._camera)
        free = self._open & self._without_arm(joints)
        if free.mean() < LEAST_OPEN:
            raise SensorError("the arm covers most of the scene; move it out of the way")
        warp = self._aligned(self._prepared(image), free)
        if warp is None:
            words = (
                "the scene is not known again: the camera was moved far, is covered, or the scene is another"
            )
            return self._looks.add(LOST / 180.0 * math.pi * self._camera.fx, LOST, 0.0, LOST, words)
        pixels, angle, turn = self._moved(warp)
        words = f"the scene is seen, as if the camera had turned by {turn:.1f} degrees"
        return self._looks.add(pixels, angle, math.radians(angle) * self._distance * 1e3, turn, words)

    def _prepared(self, image: U8) -> F32:
        """Edges of a picture: how steep it is, whatever its brightness."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, self._size, interpolation=cv2.INTER_AREA).astype(np.float32)
        soft = cv2.GaussianBlur(small, (0, 0), 1.0)
        steep = np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
        return np.asarray(cv2.GaussianBlur(np.log1p(steep / 8.0), (0, 0), SMOOTH), dtype=np.float32)

    def _without_arm(self, joints: F64) -> Mask:
        """1 where the arm is not seen, (h, w)."""
        points = self._kinematics.chain(np.asarray(joints, dtype=np.float64))
        local = points @ self._back[:3, :3].T + self._back[:3, 3]
        pixels = project_through(self._camera, local) * self._scale
        mask: Mask = np.ones(self._size[::-1], dtype=np.uint8)
        for k in range(len(points) - 1):
            if np.isfinite(pixels[k : k + 2]).all() and np.abs(pixels[k : k + 2]).max() < 1e4:
                width = 2.0 * ARM_RADIUS * self._camera.fx * self._scale / local[k : k + 2, 2].min()
                ends = [(round(x), round(y)) for x, y in pixels[k : k + 2].tolist()]
                cv2.line(mask, ends[0], ends[1], 0, max(1, min(255, round(width))))
        return mask

    def _aligned(self, edges: F32, free: Mask) -> F64 | None:
        """Turn and shift (2, 3) from the reference's pixels to this picture's; None: they do not match."""
        weight = free.astype(np.float32)
        (x, y), _ = cv2.phaseCorrelate(
            (self._edges * weight).astype(np.float64), (edges * weight).astype(np.float64)
        )
        best, found = LEAST_MATCH, None
        for start in ((0.0, 0.0), (x, y)):
            warp = np.array([[1.0, 0.0, start[0]], [0.0, 1.0, start[1]]], dtype=np.float32)
            try:
                match, aligned = cv2.findTransformECC(
                    self._edges, edges, warp, cv2.MOTION_EUCLIDEAN, _END, free * 255, 5
                )
            except cv2.error:  # it did not converge
                continue
            if match > best:
                best, found = match, np.asarray(aligned, dtype=np.float64)
        return found

    def _moved(self, warp: F64) -> tuple[float, float, float]:
        """RMS distance [px] and angle [deg] by which the picture moved, and the camera's turn [deg]."""
        x, y = (np.linspace(0.1, 0.9, 5) * side for side in self._size)
        before = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        after = before @ warp[:, :2].T + warp[:, 2]
        first, second = (rays(self._camera, points / self._scale) for points in (before, after))
        first, second = (r / np.linalg.norm(r, axis=1, keepdims=True) for r in (first, second))
        sines = np.linalg.norm(np.cross(first, second), axis=1)
        turn = Rotation.align_vectors(second, first)[0].magnitude()
        pixels = np.sqrt(np.mean(np.sum((after - before) ** 2, axis=1))) / self._scale
        angle = math.degrees(float(np.sqrt(np.mean(np.arcsin(sines.clip(0.0, 1.0)) ** 2))))
        return float(pixels), angle, math.degrees(turn)


def _check_content(edges: F32, free: Mask) -> None:
    """Refuse a scene in which a shift could not be told: no edges, or all of one direction.

    Raises:
        ConfigError: saying what is missing.
    """
    if free.mean() < LEAST_OPEN:
        raise ConfigError("the arm covers most of the reference picture; take it with the arm out of the way")
    down, across = (np.gradient(edges, axis=k)[free > 0] for k in (0, 1))
    tensor = np.array([[across @ across, across @ down], [across @ down, down @ down]]) / free.sum()
    least, most = np.linalg.eigvalsh(tensor).tolist()
    if most < 1e-5 or least < LEAST_SHARE * most:
        raise ConfigError(
            "the reference picture has too few edges outside the arm, or all in one direction; put something "
            "that does not move into view, best a board"
        )
