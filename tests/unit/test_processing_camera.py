"""Geometry of the one camera model."""

from __future__ import annotations

import numpy as np
import pybullet
import pytest

from loopwm_ros.config import CameraConfig, load_arm
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.camera import camera_pose, project
from loopwm_ros.types import F64


def make_camera(position: tuple[float, float, float], look_at: tuple[float, float, float]) -> CameraConfig:
    return CameraConfig(
        width=160, height=120, rate=20, fx=170, fy=160, cx=80, cy=60, position=position, look_at=look_at
    )


def test_pose_of_a_camera_looking_along_x() -> None:
    pose = camera_pose(make_camera((1.0, 2.0, 3.0), (5.0, 2.0, 3.0)))
    expected = [[0, 0, 1, 1], [-1, 0, 0, 2], [0, -1, 0, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(pose, expected, atol=1e-12)


@pytest.mark.parametrize("look_at", [(0.5, 0.1, 0.0), (1.0, 2.0, -9.0), (1.0, 2.0, 9.0)])
def test_pose_is_a_rigid_right_handed_frame(look_at: tuple[float, float, float]) -> None:
    rotation = camera_pose(make_camera((1.0, 2.0, 3.0), look_at))[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_overhead_camera_has_forward_at_the_top() -> None:
    camera = make_camera((0.5, 0.0, 1.0), (0.5, 0.0, 0.0))
    ahead, left = project(camera, np.array([[0.6, 0.0, 0.0], [0.5, 0.1, 0.0]]))
    np.testing.assert_allclose(ahead, [80.0, 60.0 - 16.0])
    np.testing.assert_allclose(left, [80.0 - 17.0, 60.0])


def test_coincident_position_and_look_at_are_refused() -> None:
    with pytest.raises(ConfigError, match="must differ"):
        camera_pose(make_camera((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)))


def test_known_projection() -> None:
    camera = make_camera((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    pixels = project(camera, np.array([[2.0, 0.0, 0.0], [2.0, 0.2, 0.0], [2.0, 0.0, 0.2], [-1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(pixels[:3], [[80, 60], [80 - 17, 60], [80, 60 - 16]])
    assert np.isnan(pixels[3]).all()


def opengl_pixels(camera: CameraConfig, points: F64) -> F64:
    """The same points through PyBullet's view and projection matrices."""
    view = pybullet.computeViewMatrix(camera.position, camera.look_at, (0, 0, 1))
    near, far = 0.1, 5.0
    projection = pybullet.computeProjectionMatrix(
        -camera.cx * near / camera.fx,
        (camera.width - camera.cx) * near / camera.fx,
        -(camera.height - camera.cy) * near / camera.fy,
        camera.cy * near / camera.fy,
        near,
        far,
    )
    to_clip = np.reshape(projection, (4, 4)).T @ np.reshape(view, (4, 4)).T
    clip = np.column_stack([points, np.ones(len(points))]) @ to_clip.T
    device = clip[:, :2] / clip[:, 3:]
    return np.column_stack([(device[:, 0] + 1) * camera.width / 2, (1 - device[:, 1]) * camera.height / 2])


def test_agrees_with_the_renderer() -> None:
    camera = load_arm("panda").camera
    points = np.random.default_rng(0).uniform([0.2, -0.4, 0.0], [0.8, 0.4, 0.5], (50, 3))
    np.testing.assert_allclose(project(camera, points), opengl_pixels(camera, points), atol=1e-3)
