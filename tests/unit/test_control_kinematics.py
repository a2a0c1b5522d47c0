"""Kinematics: tool motion goes where it is told, within limits; mistakes in the arm file are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopwm_ros.config import load_arm
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError

ARM = load_arm("panda")
KINEMATICS = Kinematics(ARM)
components = st.floats(-0.2, 0.2)


@settings(max_examples=40, deadline=None)
@given(x=components, y=components, z=components)
def test_step_moves_the_tool_as_asked(x: float, y: float, z: float) -> None:
    velocity, dt = np.array([x, y, z]), 0.05
    following, joint_velocity = KINEMATICS.step(KINEMATICS.home, velocity, dt)
    moved = KINEMATICS.tool_position(following) - KINEMATICS.tool_position(KINEMATICS.home)
    assert np.allclose(moved, velocity * dt, atol=1e-3)
    assert np.allclose(KINEMATICS.home + joint_velocity * dt, following)


def test_orientation_is_kept_over_a_long_way() -> None:
    position = KINEMATICS.home.copy()
    for i in range(200):
        angle = i / 30.0
        position, _ = KINEMATICS.step(position, 0.15 * np.array([np.sin(angle), np.cos(angle), 0.0]), 0.05)
    down = KINEMATICS.tool_pose(position)[:3, 2]
    assert np.allclose(down, KINEMATICS.tool_pose(KINEMATICS.home)[:3, 2], atol=0.02)


def test_limits_are_kept_and_the_direction_with_them() -> None:
    start = KINEMATICS.tool_position(KINEMATICS.home)
    following, velocity = KINEMATICS.step(KINEMATICS.home, np.array([0.0, 5.0, 0.0]), 0.05)
    assert np.all(np.abs(velocity) <= KINEMATICS.velocity_limit + 1e-9)
    moved = KINEMATICS.tool_position(following) - start
    assert moved[1] > 0.01
    assert abs(moved[0]) < 0.2 * moved[1]
    position = KINEMATICS.home.copy()
    for _ in range(300):
        position, _ = KINEMATICS.step(position, np.array([0.4, 0.0, 0.0]), 0.05)
    assert np.all(position <= KINEMATICS.upper)
    assert np.all(position >= KINEMATICS.lower)


@pytest.mark.parametrize("target", [(0.35, -0.3, 0.1), (0.65, 0.3, 0.4), (0.5, 0.0, 0.05)])
def test_reach_ends_at_the_target_oriented_as_at_home(target: tuple[float, float, float]) -> None:
    joints = KINEMATICS.reach(KINEMATICS.home, np.array(target))
    assert np.allclose(KINEMATICS.tool_position(joints), target, atol=2e-4)
    assert np.all((joints >= KINEMATICS.lower) & (joints <= KINEMATICS.upper))
    down = KINEMATICS.tool_pose(KINEMATICS.home)[:3, 2]
    assert np.allclose(KINEMATICS.tool_pose(joints)[:3, 2], down, atol=0.03)


def test_a_target_out_of_reach_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot reach \[1.5, 0.0, 0.3\] \[m\]; choose a nearer point"):
        KINEMATICS.reach(KINEMATICS.home, np.array([1.5, 0.0, 0.3]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tool_frame": "panda_hook"}, "no frame 'panda_hook'"),
        ({"joints": (*ARM.joints[:6], "panda_joint9")}, "no joint panda_joint9"),
        ({"joints": (ARM.joints[1], ARM.joints[0], *ARM.joints[2:])}, "URDF's order"),
        ({"locked_joints": {}}, "neither controls nor locks"),
        ({"urdf": "package://pybullet_data/franka_panda/pander.urdf"}, "not found"),
        ({"urdf": "package://no_such_package/arm.urdf"}, "not installed"),
    ],
)
def test_mistakes_in_the_arm_file_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Kinematics(ARM.model_copy(update=change))


def test_a_broken_urdf_is_named(tmp_path: Path) -> None:
    path = tmp_path / "arm.urdf"
    path.write_text("<robot")
    with pytest.raises(ConfigError, match=r"arm\.urdf is not a valid URDF"):
        Kinematics(ARM.model_copy(update={"urdf": str(path)}))


@pytest.mark.parametrize("name", ["panda", "ur5e", "iiwa"])
def test_the_mount_is_the_tool_frame_and_moves_as_its_jacobian_says(name: str) -> None:
    arm = load_arm(name)
    kinematics = Kinematics(arm)
    joints = kinematics.home + 0.1
    pose, jacobian = kinematics.mount(joints)
    length = 0.0 if arm.rod is None else arm.rod.length
    assert np.allclose(pose[:3, 3] + length * pose[:3, 2], kinematics.tool_position(joints))
    for column, step in zip(jacobian.T, 1e-6 * np.eye(len(joints)), strict=True):
        after, _ = kinematics.mount(joints + step)
        turned = (after[:3, :3] @ pose[:3, :3].T - np.eye(3)) / 1e-6
        assert np.allclose((after[:3, 3] - pose[:3, 3]) / 1e-6, column[:3], atol=1e-5)
        assert np.allclose([turned[2, 1], turned[0, 2], turned[1, 0]], column[3:], atol=1e-5)


def test_joints_at_a_pose() -> None:
    wanted = KINEMATICS.home + np.array([0.3, 0.2, -0.2, 0.1, 0.2, -0.3, 0.4])
    pose, _ = KINEMATICS.mount(wanted)
    found = KINEMATICS.joints_at(pose, KINEMATICS.home)
    assert found is not None
    assert np.allclose(KINEMATICS.mount(found)[0], pose, atol=1e-3)
    pose[0, 3] += 2.0
    assert KINEMATICS.joints_at(pose, KINEMATICS.home) is None
