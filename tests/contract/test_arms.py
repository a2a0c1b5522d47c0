"""Every arm file of ours: it loads, stands well, reaches what it must, and its camera sees it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pybullet
import pytest

from loopwm_ros.bullet.camera import render
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig, load_arm, load_task, load_world, share_dir
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.processing.camera import project
from loopwm_ros.validation.arm_check import check_arm

ROOT = Path(__file__).resolve().parents[2]
ARMS = sorted(path.stem for path in (share_dir() / "sim" / "arms").glob("*.yaml"))
TASKS = {"reach": load_task("reach"), "push": load_task("push")}
WORLD = load_world("tabletop")
PLANAR = (0.03, 0.05)  # heights at which objects are pushed [m]
ABOVE = 0.12  # over anything on the table [m]


@pytest.fixture(params=ARMS, scope="module")
def arm(request: pytest.FixtureRequest) -> ArmConfig:
    return load_arm(request.param)


@pytest.fixture(scope="module")
def kinematics(arm: ArmConfig) -> Kinematics:
    return Kinematics(arm)


@pytest.fixture
def cell(arm: ArmConfig) -> Iterator[BulletCell]:
    cell = BulletCell(arm, TASKS["reach"], WORLD)
    yield cell
    cell.close()


def test_there_are_arms_of_several_makers() -> None:
    assert len({load_arm(name).urdf for name in ARMS}) >= 4


def test_a_file_has_the_name_of_its_arm(arm: ArmConfig) -> None:
    assert arm.name in ARMS


def test_home_is_within_limits_in_the_workspace_and_points_down(arm, kinematics) -> None:
    largest_offset = max(map(abs, TASKS["reach"].randomisation.start_joint_offset))
    assert np.all(kinematics.home - largest_offset >= kinematics.lower)
    assert np.all(kinematics.home + largest_offset <= kinematics.upper)
    pose = kinematics.tool_pose(kinematics.home)
    assert np.allclose(pose[:3, 2], [0, 0, -1], atol=2e-3)
    assert np.all(pose[:3, 3] > arm.workspace.low)
    assert np.all(pose[:3, 3] < arm.workspace.high)


def test_limits_are_an_arm_s(kinematics) -> None:
    speeds, efforts = kinematics.velocity_limit, np.asarray(kinematics.model.effortLimit)
    assert np.all((speeds > 0.5) & (speeds < 4.0))
    assert np.all((efforts >= 5.0) & (efforts <= 400.0))


def corners(arm: ArmConfig) -> list[tuple[float, float, float]]:
    """Where the tool must come: near the table all over the workspace, above it to the corners."""
    low, high = arm.workspace.low, arm.workspace.high
    x, y = [(low[i], (low[i] + high[i]) / 2, high[i]) for i in (0, 1)]
    return [*itertools.product(x, y, PLANAR), *itertools.product(x[::2], y[::2], (ABOVE,))]


def brought(kinematics: Kinematics, place: tuple[float, float, float]) -> np.ndarray:
    """Joints after going from home to a place in a straight line."""
    joints, period = kinematics.home, 0.05
    for _ in range(80):
        velocity = (np.array(place) - kinematics.tool_position(joints)) / period
        velocity *= min(1.0, 0.25 / max(1e-9, float(np.linalg.norm(velocity))))
        joints, _ = kinematics.step(joints, velocity, period)
    return joints


def test_every_corner_is_reached_without_meeting_a_limit(arm, kinematics) -> None:
    for place in corners(arm):
        joints = brought(kinematics, place)
        assert np.linalg.norm(kinematics.tool_position(joints) - place) < 1e-3, place
        assert np.allclose(kinematics.tool_pose(joints)[:3, 2], [0, 0, -1], atol=0.02), place
        assert np.all(joints > kinematics.lower), place
        assert np.all(joints < kinematics.upper), place


def test_simulator_and_kinematics_agree(arm, kinematics, cell) -> None:
    rng = np.random.default_rng(0)
    scene = cell._scene
    for _ in range(25):
        joints = rng.uniform(kinematics.lower, kinematics.upper)
        for index, value in zip(scene.joints, joints, strict=True):
            pybullet.resetJointState(scene.arm, index, value, physicsClientId=cell.client)
        assert np.allclose(cell.truth().tool, kinematics.tool_position(joints), atol=1e-6)


def test_the_simulated_arm_follows(arm, kinematics, cell) -> None:
    """At the tool's highest speed, to a corner of the table: effort limits and inertias are good enough."""
    joints = cell.joint_state().position
    goal = np.array([arm.workspace.high[0] - 0.02, arm.workspace.high[1] - 0.02, ABOVE])
    for _ in range(200):
        error = goal - kinematics.tool_position(joints)
        distance = max(1e-6, float(np.linalg.norm(error)))
        velocity = error * min(10.0, TASKS["reach"].max_tool_speed / distance)
        joints, _ = kinematics.step(joints, velocity, 1.0 / WORLD.servo_rate)
        cell.step(joints)
        assert np.allclose(cell.joint_state().position, joints, atol=0.05)
    assert np.allclose(cell.truth().tool, goal, atol=3e-3)


@pytest.mark.parametrize("task", TASKS)
def test_its_own_check_finds_nothing_wrong(arm, task) -> None:
    if task == "push" and arm.rod is None:
        return  # pushing is for arms that hold a rod
    assert [c for c in check_arm(arm, TASKS[task], WORLD) if not c.good and c.name != "rendering"] == []


def test_the_ball_is_seen_wherever_it_may_lie(arm, kinematics, cell) -> None:
    """Not hidden by the arm, at home or with the tool where it is to be brought."""
    goal = TASKS["reach"].objects["ball"]
    for x, y in itertools.product((*goal.x, sum(goal.x) / 2), (*goal.y, 0.0)):
        cell.place("ball", x, y, 0.0)
        touching = cell.truth().points["ball"] + TASKS["reach"].goal_offset
        for joints in (kinematics.home, kinematics.reach(kinematics.home, touching)):
            for index, value in zip(cell._scene.joints, joints, strict=True):
                pybullet.resetJointState(cell._scene.arm, index, value, physicsClientId=cell.client)
            image = render(cell.client, arm.camera, 0.5, (0.3, 0.3, 2.0))
            column, row = np.round(project(arm.camera, cell.truth().points["ball"][None])[0]).astype(int)
            hue, saturation, _ = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[row, column]
            assert saturation > 150, (x, y)
            assert min(hue, 180 - hue) < 15, (x, y)


def test_no_code_knows_an_arm() -> None:
    """Names of arms, robots, joints and frames are in YAML and URDF alone."""
    words = {name.partition("_")[0] for name in ARMS}
    words |= {name for a in map(load_arm, ARMS) for name in (a.base_frame, a.tool_frame) if "_" in name}
    pattern = re.compile("|".join(rf"\b{re.escape(w)}" for w in sorted(words)), re.IGNORECASE)
    sources = [p for f in ("loopwm_ros", "launch", "lib") for p in (ROOT / f).rglob("*") if p.is_file()]
    code = [p for p in sources if "__pycache__" not in p.parts and p.suffix in ("", ".py")]
    assert [f"{p.relative_to(ROOT)}" for p in code if pattern.search(p.read_text(encoding="utf-8"))] == []
