"""A shoot: pictures of a board from all sides, good ones and bad ones, with what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from benchmarks.calibration.rendering import Flaws, Studio
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.views import View
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.processing.lens import project_through, rays
from loopwm_ros.types import F64, U8

NEAR, FAR = 0.9, 0.35  # width of the board in the picture, of the picture's
TILT = np.deg2rad(45.0)
BLUR, NOISE, LIGHT = (0.3, 1.0), (1.0, 4.0), (0.5, 1.0)
INSIDE = 0.75  # share of corners that a pose must show
SHAKE, WAVES = 3.0, 2.5  # of a rolling shutter's picture of a board that shakes: amplitude [px], periods


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    image: U8
    pose: F64  # of the board in the optical frame, 4x4


def poses(board: Board, camera: CameraModel, rng: np.random.Generator) -> Iterator[F64]:
    """Endless: all over the picture, near and far, tilted and turned; a checkerboard is seen whole."""
    middle = board.corners.mean(axis=0)
    width = float(np.ptp(board.corners[:, 0]))
    share = 1.0 if board.charuco is None else INSIDE
    while True:
        tilt = rng.uniform(0.0, TILT)
        axis = rng.uniform(-np.pi, np.pi)
        turn, _ = cv2.Rodrigues(tilt * np.array([np.cos(axis), np.sin(axis), 0.0]))
        spin, _ = cv2.Rodrigues(np.array([0.0, 0.0, rng.uniform(-np.pi, np.pi)]))
        pixel = rng.uniform(0.1, 0.9, 2) * (camera.width, camera.height)
        ray = rays(camera, pixel[None])[0]
        distance = width * camera.fx / (camera.width * rng.uniform(FAR, NEAR))
        pose = np.eye(4)
        pose[:3, :3] = turn @ spin
        pose[:3, 3] = distance * ray / np.linalg.norm(ray) - pose[:3, :3] @ middle
        seen = project_through(camera, board.corners @ pose[:3, :3].T + pose[:3, 3])
        margin = 10.0 if board.charuco is None else 0.0
        inside = (seen > margin) & (seen < np.array([camera.width, camera.height]) - 1 - margin)
        if inside.all(axis=1).mean() >= share:
            yield pose


def good(studio: Studio, board: Board, camera: CameraModel, rng: np.random.Generator) -> Iterator[Shot]:
    """Endless pictures with some blur, noise and uneven light."""
    for number, pose in enumerate(poses(board, camera, rng)):
        flaws = Flaws(rng.uniform(*BLUR), rng.uniform(*NOISE), rng.uniform(*LIGHT))
        yield Shot(f"good {number}", studio.picture(pose, flaws, rng), pose)


def nudged(shot: Shot) -> F64:
    """The pose, moved by a third of a millimetre and turned by a tenth of a degree."""
    pose = shot.pose.copy()
    pose[:3, :3] = cv2.Rodrigues(np.deg2rad([0.1, 0.0, 0.0]))[0] @ pose[:3, :3]
    pose[:3, 3] += [3e-4, 0.0, 0.0]
    return pose


def shaken(image: U8) -> U8:
    """As a rolling shutter sees a board that shakes: rows are shifted to and fro."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    shift = SHAKE * np.sin(2 * np.pi * WAVES * y / image.shape[0])
    moved = cv2.remap(
        image, x + shift.astype(np.float32), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, dtype=np.uint8)


def corrupted(view: View, rng: np.random.Generator) -> View:
    """A view with a quarter of its corners up to 10 px off."""
    pixels = view.detection.pixels.copy()
    chosen = rng.choice(len(pixels), len(pixels) // 4, replace=False)
    pixels[chosen] += rng.uniform(-10.0, 10.0, (len(chosen), 2))
    return replace(view, name="corrupted", detection=replace(view.detection, pixels=pixels))
