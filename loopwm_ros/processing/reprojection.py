"""What a bundle's camera would see, made from what another camera sees that stands near its place.

Lens, rotation and intrinsics are undone exactly. Translation is undone for points of one plane, the table;
what stands on it keeps its parallax, see `Reprojection.parallax`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from loopwm_ros.config import CameraConfig, Settings
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.errors import MismatchError
from loopwm_ros.processing.camera import camera_pose, project
from loopwm_ros.processing.images import CALIBRATED, check_picture_size
from loopwm_ros.processing.lens import project_through, rays
from loopwm_ros.processing.poses import apart, inverse
from loopwm_ros.types import F64, U8

FAR = 2.0  # of a ray that misses the plane, in distances from the camera to what it looks at
FINEST = 8  # samples along a pixel's side
SAME_RAY = 1e-3  # by which a ray may miss itself through the lens and back; more: the lens folds over there
OUTSIDE = 3e4  # what a fixed-point map holds [px]
SLACK = 0.25  # by which a pixel may be passed over without a finer sampling
LEAST_STRETCH = 1e-3


class ReprojectionLimits(Settings):
    """How far another camera may be from the bundle's; measured, see docs/nodes.md."""

    turn: float = Field(12.0, gt=0, le=45, description="rotation [deg]")
    shift: float = Field(0.10, gt=0, le=1, description="translation [m]")
    coverage: float = Field(
        0.7, gt=0, le=1, description="share of the bundle's picture that it sees, at least"
    )
    enlargement: float = Field(2.5, ge=1, description="of its pixels to the bundle's")


@dataclass(frozen=True)
class CameraGap:
    """By how much one camera is another one."""

    turn: float  # [deg]
    shift: float  # [m]
    coverage: float  # share of the bundle's picture
    enlargement: float  # of the actual pixels where they are largest; below 1: the actual picture is finer

    def excess(self, limits: ReprojectionLimits) -> list[str]:
        """What lies beyond the limits, each figure with its limit."""
        told = (
            (self.turn > limits.turn, f"turned by {self.turn:.1f} degrees (at most {limits.turn:g})"),
            (
                self.shift > limits.shift,
                f"moved by {self.shift * 100:.1f} cm (at most {limits.shift * 100:g})",
            ),
            (
                self.coverage < limits.coverage,
                f"sees {self.coverage:.0%} of the bundle's picture (at least {limits.coverage:.0%})",
            ),
            (
                self.enlargement > limits.enlargement,
                f"its pixels are {self.enlargement:.2f} times the bundle's (at most {limits.enlargement:g})",
            ),
        )
        return [text for beyond, text in told if beyond]


class Reprojection:
    """Fixed maps from the actual camera's pictures to the bundle's; built once, then nothing is looked up.

    Not thread-safe: calls share a buffer.
    """

    def __init__(self, bundle: CameraConfig, actual: CameraModel, pose: F64, plane: float) -> None:
        """`pose`: the actual optical frame in the base frame (4, 4); `plane`: its height there [m].

        Pixels are counted as in CameraInfo: their centres have whole numbers.
        """
        self.size = actual.width, actual.height  # of the pictures that it takes
        self._bundle, self._pose, self._plane = bundle, pose, plane
        own = camera_pose(bundle)
        coarse = self._points(own, 1)
        at = _projected(actual, coarse)
        through = _through(actual, coarse, at)
        covered = through & ((at >= -0.5) & (at <= np.array(self.size) - 0.5)).all(axis=-1)
        least, most = _stretch(at, through)
        self.gap = CameraGap(
            turn=math.degrees(float(np.linalg.norm(apart(own, pose)[0]))),
            shift=float(np.linalg.norm(pose[:3, 3] - own[:3, 3])),
            coverage=float(covered.mean()),
            enlargement=1.0 / least,
        )
        samples = min(FINEST, max(1, math.ceil(most - SLACK)))
        self._maps = _maps(_projected(actual, self._points(own, samples)), through)
        size = bundle.height * samples, bundle.width * samples, 3
        self._fine: U8 | None = None if samples == 1 else np.zeros(size, dtype=np.uint8)

    def apply(self, rgb: U8) -> U8:
        """Picture of the actual camera (height, width, 3) to the bundle's.

        Raises:
            SensorError: it has another size than the calibrated camera.
        """
        check_picture_size(rgb, self.size, CALIBRATED)
        whole, rest = self._maps
        found = cv2.remap(rgb, whole, rest, cv2.INTER_LINEAR, dst=self._fine, borderMode=cv2.BORDER_REPLICATE)
        if self._fine is not None:
            wanted = self._bundle.width, self._bundle.height
            found = cv2.resize(found, wanted, interpolation=cv2.INTER_AREA)
        return np.asarray(found, dtype=np.uint8)

    def check(self, name: str, limits: ReprojectionLimits) -> None:
        """Refuse a camera that is too far from that of the bundle `name`.

        Raises:
            MismatchError: with each figure that is beyond its limit.
        """
        if excess := self.gap.excess(limits):
            place = np.round(self._pose[:3, 3], 3).tolist()
            raise MismatchError(
                f"the camera cannot stand in for that of bundle '{name}': {', '.join(excess)}. It is at "
                f"{place} m in the base frame; bring it to {list(self._bundle.position)}, looking at "
                f"{list(self._bundle.look_at)}, and calibrate again, or train a bundle for where it is"
            )

    def parallax(self, points: F64) -> F64:
        """How far from their right place base-frame points (m, 3) appear in the bundle's picture, (m,) [px].

        Zero on the plane; off it, it grows with their height and with the camera's translation.
        """
        eye = self._pose[:3, 3]
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        height = eye[2] - self._plane
        share = height / (height - (points[:, 2:] - self._plane))
        shown = project(self._bundle, eye + (points - eye) * share)
        return np.asarray(np.linalg.norm(shown - project(self._bundle, points), axis=1))

    def _points(self, own: F64, samples: int) -> F64:
        """What the bundle's camera at `own` shows in each sample, in the actual optical frame, (h, w, 3) [m].

        That is a point on the plane; or a far one where a ray misses it, or meets it far behind the scene.
        """
        bundle, eye, aim = self._bundle, own[:3, 3], np.subtract(self._bundle.look_at, self._bundle.position)
        x = (np.arange(bundle.width * samples) + 0.5) / samples - 0.5
        y = (np.arange(bundle.height * samples) + 0.5) / samples - 0.5
        u, v = np.meshgrid((x - bundle.cx) / bundle.fx, (y - bundle.cy) / bundle.fy)
        rays_out = np.stack([u, v, np.ones_like(u)], axis=-1) @ own[:3, :3].T
        far = FAR * float(np.linalg.norm(aim))
        with np.errstate(divide="ignore", invalid="ignore"):  # along the plane, and in it
            depth = (self._plane - eye[2]) / rays_out[..., 2]
        depth = np.where((depth > 0) & (depth < far), depth, far)
        back = inverse(self._pose)
        return np.asarray((eye + rays_out * depth[..., None]) @ back[:3, :3].T + back[:3, 3])


def _projected(camera: CameraModel, points: F64) -> F64:
    return project_through(camera, points.reshape(-1, 3)).reshape(*points.shape[:2], 2)


def _through(camera: CameraModel, points: F64, pixels: F64) -> NDArray[np.bool_]:
    """Where a pixel's ray back through the lens is the one that led to it: in front of it, and no fold."""
    flat, ahead = pixels.reshape(-1, 2), points.reshape(-1, 3)
    usable = np.isfinite(flat).all(axis=1)
    seen = np.zeros(len(flat), dtype=bool)
    wanted = ahead[usable, :2] / ahead[usable, 2:]
    if usable.any():
        miss = np.abs(rays(camera, flat[usable])[:, :2] - wanted).max(axis=1)
        seen[usable] = miss < SAME_RAY * (1.0 + np.abs(wanted).max(axis=1))
    return seen.reshape(pixels.shape[:2])


def _stretch(pixels: F64, through: NDArray[np.bool_]) -> tuple[float, float]:
    """Actual pixels along a side of the bundle's: least and most, but for a few."""
    if not through.any():
        return LEAST_STRETCH, 1.0
    down, across = (np.linalg.norm(np.gradient(pixels, axis=k), axis=-1)[through] for k in (0, 1))
    sides = np.concatenate([down, across])
    sides = sides[np.isfinite(sides)]
    least, most = np.quantile(sides, (0.05, 0.95)).tolist() if sides.size else (LEAST_STRETCH, 1.0)
    return max(LEAST_STRETCH, least), most


def _maps(pixels: F64, through: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """For cv2.remap, in fixed point; what the camera does not see is taken from the nearest edge."""
    height, width = pixels.shape[:2]
    shown = cv2.resize(through.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    kept = np.where((shown > 0)[..., None], pixels.clip(-OUTSIDE, OUTSIDE), -1.0).astype(np.float32)
    x, y = (np.ascontiguousarray(kept[..., k]) for k in (0, 1))
    whole, rest = cv2.convertMaps(x, y, cv2.CV_16SC2)
    return np.asarray(whole), np.asarray(rest)
