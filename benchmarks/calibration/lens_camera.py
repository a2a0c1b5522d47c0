"""A lens before the simulated camera, which is a pinhole: its picture, drawn wider and finer, is bent."""

from __future__ import annotations

import cv2
import numpy as np

from loopwm_ros.backends.base import Backend
from loopwm_ros.backends.blank_camera import ChangedCamera
from loopwm_ros.bullet.camera import ROWS_UP
from loopwm_ros.config import CameraConfig
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.processing.images import shrink_image
from loopwm_ros.processing.lens import rays
from loopwm_ros.types import F64, U8

SAMPLES = 2  # drawn pixels along a side of the camera's


def plain(model: CameraModel) -> bool:
    """Is it a pinhole, which needs no bending?"""
    return not any(model.distortion)


def seen_by(model: CameraModel, stand: CameraConfig) -> CameraConfig:
    """The pinhole to draw, at the place of `stand`, so that it shows all that the camera sees."""
    if plain(model):
        same = {"width": model.width, "height": model.height, "fx": model.fx, "fy": model.fy}
        return stand.model_copy(update=same | {"cx": model.cx, "cy": model.cy + ROWS_UP})
    edge = _grid(model, 1).reshape(-1, 2)
    reach = np.abs(rays(model, edge)[:, :2]).max(axis=0) * 1.02
    focal = model.fx * SAMPLES
    width, height = (2 * int(np.ceil(side * focal)) for side in reach)
    half = {"cx": width / 2, "cy": height / 2}
    return stand.model_copy(update={"width": width, "height": height, "fx": focal, "fy": focal} | half)


class LensCamera(ChangedCamera):
    """Another backend, its pictures seen through a lens."""

    def __init__(self, backend: Backend, drawn: CameraConfig, model: CameraModel) -> None:
        """`drawn` is the backend's camera, from `seen_by`."""
        super().__init__(backend)
        self._maps, self._model = None, model
        if not plain(model):
            seen = rays(model, _grid(model, SAMPLES).reshape(-1, 2))[:, :2]
            at = seen * (drawn.fx, drawn.fy) + (drawn.cx, drawn.cy - ROWS_UP)
            shape = model.height * SAMPLES, model.width * SAMPLES
            self._maps = tuple(at[:, k].reshape(shape).astype(np.float32) for k in (0, 1))

    def _changed(self, rgb: U8) -> U8:
        """Bent by the lens."""
        if self._maps is None:
            return rgb
        fine = cv2.remap(rgb, *self._maps, cv2.INTER_LINEAR)
        return shrink_image(fine, self._model.width, self._model.height)


def _grid(model: CameraModel, samples: int) -> F64:
    """Places of a picture's samples, (h, w, 2) [px]."""
    x = (np.arange(model.width * samples) + 0.5) / samples - 0.5
    y = (np.arange(model.height * samples) + 0.5) / samples - 0.5
    return np.stack(np.meshgrid(x, y), axis=-1)
