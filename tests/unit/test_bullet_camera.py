"""Where the renderer truly puts things."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pybullet
import pytest

from loopwm_ros.bullet.camera import ROWS_UP, render, shown
from loopwm_ros.bundle import Manifest
from loopwm_ros.config import load_arm
from loopwm_ros.processing.camera import project

CAMERA = load_arm("panda").camera
PLACES = (
    [0.0, 0.0, 0.0],
    [0.1, 0.15, 0.05],
    [-0.1, -0.2, 0.1],
    [0.15, -0.1, 0.2],
)  # about what it looks at [m]


@pytest.fixture
def client() -> Iterator[int]:
    made = pybullet.connect(pybullet.DIRECT)
    yield made
    pybullet.disconnect(made)


@pytest.mark.parametrize("scale", [1, 3])
def test_a_ball_is_where_the_camera_shown_would_see_it(client: int, scale: int) -> None:
    grown = {name: getattr(CAMERA, name) * scale for name in ("width", "height", "fx", "fy", "cx", "cy")}
    camera = CAMERA.model_copy(update=grown)
    off = []
    for place in PLACES:
        position = np.add(camera.look_at, place)
        ball = pybullet.createVisualShape(pybullet.GEOM_SPHERE, radius=0.03, rgbaColor=[1, 0, 0, 1])
        body = pybullet.createMultiBody(0, -1, ball, basePosition=position.tolist())
        red = render(client, camera, 1.0, (1.0, 1.0, 1.0)).astype(float) @ (1.0, -1.0, 0.0)
        pybullet.removeBody(body)
        rows, columns = np.nonzero(red > 100)
        off.append((columns.mean(), rows.mean()) - project(shown(camera), position[None])[0])
    assert np.abs(np.mean(off, axis=0)).max() < 0.2
    assert Manifest.model_fields["rows_up"].default == ROWS_UP
