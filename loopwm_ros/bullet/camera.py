"""A pinhole camera rendered by PyBullet's CPU renderer."""

from __future__ import annotations

import numpy as np
import pybullet

from loopwm_ros.config import CameraConfig
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.types import F64, U8

NEAR, FAR = 0.05, 5.0  # clipping planes [m]
ROWS_UP = 1.0  # by which the renderer shows all higher than the projection says [px], at any size
OPTICAL_TO_GL = np.diag([1.0, -1.0, -1.0, 1.0])  # z forward, y down to z backward, y up


def view_matrix(camera: CameraConfig) -> list[float]:
    """OpenGL view matrix, column-major."""
    view = OPTICAL_TO_GL @ np.linalg.inv(camera_pose(camera))
    return [float(v) for v in view.T.ravel()]


def projection_matrix(camera: CameraConfig) -> list[float]:
    """OpenGL projection matrix of the pinhole intrinsics, column-major."""
    w, h = camera.width, camera.height
    matrix: F64 = np.zeros((4, 4))
    matrix[0, 0], matrix[0, 2] = 2.0 * camera.fx / w, 1.0 - 2.0 * camera.cx / w
    matrix[1, 1], matrix[1, 2] = 2.0 * camera.fy / h, 2.0 * camera.cy / h - 1.0
    matrix[2, 2], matrix[2, 3] = -(FAR + NEAR) / (FAR - NEAR), -2.0 * FAR * NEAR / (FAR - NEAR)
    matrix[3, 2] = -1.0
    return [float(v) for v in matrix.T.ravel()]


def shown(camera: CameraConfig) -> CameraConfig:
    """The camera that the pictures of `render` truly are of."""
    return camera.model_copy(update={"cy": camera.cy - ROWS_UP})


def render(
    client: int, camera: CameraConfig, light: float, light_direction: tuple[float, float, float]
) -> U8:
    """RGB image (height, width, 3); `light` is the ambient share of the light."""
    image = pybullet.getCameraImage(
        camera.width,
        camera.height,
        view_matrix(camera),
        projection_matrix(camera),
        lightDirection=light_direction,
        lightAmbientCoeff=light,
        lightDiffuseCoeff=0.95 - light,
        lightSpecularCoeff=0.05,
        shadow=0,
        renderer=pybullet.ER_TINY_RENDERER,
        flags=pybullet.ER_NO_SEGMENTATION_MASK,
        physicsClientId=client,
    )
    rgba = np.reshape(np.asarray(image[2], dtype=np.uint8), (camera.height, camera.width, 4))
    return np.ascontiguousarray(rgba[..., :3])
