"""The scene against its reference, in PyBullet's pictures: nudges are seen; light, ball and arm are none."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pybullet
import pytest

from loopwm_ros.bullet.camera import render
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.calibration.drift_limits import DriftLimits
from loopwm_ros.calibration.scene_drift import LOST, SceneCheck
from loopwm_ros.config import CameraConfig, load_arm, load_task, load_world
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.processing.poses import apart
from loopwm_ros.types import F64, U8, JointState, Observation

ARM = load_arm("panda")
EYE = ARM.camera
MODEL = CameraModel(width=EYE.width, height=EYE.height, fx=EYE.fx, fy=EYE.fy, cx=EYE.cx, cy=EYE.cy)
ONE = DriftLimits(looks=1, evidence=1)
NOISE = 4.0  # of a pixel, 1 sigma, of 255


class Room:
    """One randomised cell after the other, the arm anywhere."""

    def __init__(self) -> None:
        self._cell = BulletCell(ARM, load_task("reach"), load_world("tabletop"))
        self._rng = np.random.default_rng(0)

    def seen(self, seed: int, camera: CameraConfig = EYE, spread: float = 0.6) -> tuple[U8, F64]:
        """Another ball, light and table in each; joints up to `spread` [rad] from their start."""
        cell = self._cell
        cell.reset(seed)
        joints = cell.joint_state().position
        joints = joints + self._rng.uniform(-spread, spread, len(joints))
        for joint, value in zip(cell._scene.joints, joints, strict=True):
            pybullet.resetJointState(cell._scene.arm, joint, value, physicsClientId=cell.client)
        exact = render(cell.client, camera, cell.draw.light, cell.draw.light_direction)
        noisy = exact + self._rng.normal(0.0, NOISE, exact.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8), joints

    def close(self) -> None:
        self._cell.close()


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    made = Room()
    yield made
    made.close()


def reference(room: Room) -> Observation:
    rgb, joints = room.seen(0, spread=0.0)
    return Observation(0.0, rgb, JointState(0.0, joints, np.zeros_like(joints)))


def check(room: Room, limits: DriftLimits = ONE) -> SceneCheck:
    return SceneCheck(ARM, MODEL, camera_pose(EYE), reference(room), limits)


def nudged(degrees: float, direction: float) -> CameraConfig:
    pose, reach = camera_pose(EYE), math.dist(EYE.position, EYE.look_at)
    across = math.cos(direction) * pose[:3, 0] + math.sin(direction) * pose[:3, 1]
    x, y, z = (np.asarray(EYE.look_at) + reach * math.tan(math.radians(degrees)) * across).tolist()
    return EYE.model_copy(update={"look_at": (x, y, z)})


def test_light_ball_table_noise_and_the_arms_motion_are_no_drift(room: Room) -> None:
    limits, looking = DriftLimits(), check(room, DriftLimits())
    found = [looking.look(*room.seen(seed)) for seed in range(1, 41)]
    assert {drift.state for drift in found[: limits.evidence - 1]} == {"unknown"}
    assert {drift.state for drift in found[limits.evidence - 1 :]} == {"ok"}
    assert np.median([drift.angle for drift in found]) < 0.1


@pytest.mark.parametrize("direction", [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
def test_a_camera_nudged_by_two_degrees_blocks(room: Room, direction: float) -> None:
    looking, camera = check(room, DriftLimits()), nudged(2.0, direction)
    turn = math.degrees(np.linalg.norm(apart(camera_pose(EYE), camera_pose(camera))[0]))
    found = [looking.look(*room.seen(seed, camera)) for seed in range(1, 6)]
    assert [drift.state for drift in found[2:]] == ["block"] * 3
    assert np.median([drift.degrees for drift in found]) == pytest.approx(turn, abs=0.3)
    for drift in found[2:]:
        assert "as if the camera had turned by" in drift.words


def test_half_a_degree_is_measured(room: Room) -> None:
    looking = check(room, DriftLimits())
    for seed in range(1, 6):
        drift = looking.look(*room.seen(seed, nudged(0.6, 1.0)))
    assert drift.state == "warn"
    assert drift.angle == pytest.approx(0.6, abs=0.15)


def test_a_scene_that_is_not_known_again_blocks(room: Room) -> None:
    looking, (_, joints) = check(room), room.seen(1)
    dark = np.zeros((EYE.height, EYE.width, 3), dtype=np.uint8)
    drift = looking.look(dark, joints)
    assert (drift.state, drift.angle) == ("block", LOST)
    assert "not known again" in drift.words
    noise = np.random.default_rng(0).integers(0, 256, dark.shape).astype(np.uint8)
    assert looking.look(noise, joints).state == "block"
    assert looking.look(*room.seen(2)).state == "ok"


def test_an_arm_before_most_of_the_scene_teaches_nothing(room: Room) -> None:
    close = camera_pose(EYE.model_copy(update={"position": (0.75, 0.0, 0.5), "look_at": (0.0, 0.0, 0.35)}))
    good = reference(room)
    aside = good.joints.position.copy()
    aside[0] += math.pi / 2
    away = Observation(0.0, good.rgb, JointState(0.0, aside, np.zeros_like(aside)))
    looking = SceneCheck(ARM, MODEL, close, away, ONE)
    with pytest.raises(SensorError, match="the arm covers most of the scene"):
        looking.look(good.rgb, good.joints.position)
    assert looking.look(good.rgb, aside).state == "ok"


def test_a_reference_that_shows_too_little_is_refused(room: Room) -> None:
    good = reference(room)

    def taken(rgb: U8, pose: F64 | None = None) -> SceneCheck:
        shown = Observation(0.0, rgb, good.joints)
        return SceneCheck(ARM, MODEL, camera_pose(EYE) if pose is None else pose, shown, ONE)

    plain = np.full_like(good.rgb, 120)
    with pytest.raises(ConfigError, match="too few edges outside the arm"):
        taken(plain)
    stripe = plain.copy()
    stripe[:, 20:30] = 200
    with pytest.raises(ConfigError, match="or all in one direction"):
        taken(stripe)
    close = camera_pose(EYE.model_copy(update={"position": (0.75, 0.0, 0.5), "look_at": (0.0, 0.0, 0.35)}))
    with pytest.raises(ConfigError, match="the arm covers most of the reference"):
        taken(good.rgb, close)
    with pytest.raises(SensorError, match="calibrated was 160x120"):
        taken(good.rgb[:100])
