"""The check of an arm file finds what is wrong with it, and only that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from loopwm_ros.bullet.urdf import simulation_urdf
from loopwm_ros.config import ArmConfig, Box, load_arm, load_task, load_world, share_dir
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.arm_check import check_arm, write_picture

ARM, TASK = load_arm("ur5e"), load_task("reach")
WORLD = load_world(TASK.world)
URDF = (share_dir() / "sim" / "urdf" / "ur5e.urdf").read_text(encoding="utf-8")


def wrong(arm: ArmConfig) -> set[str]:
    return {c.name for c in check_arm(arm, TASK, WORLD) if not c.good and c.name != "rendering"}


@pytest.fixture
def altered(tmp_path: Path) -> Callable[[str, str], ArmConfig]:
    """The arm with a text in its URDF replaced everywhere."""

    def alter(before: str, after: str) -> ArmConfig:
        assert before in URDF
        path = tmp_path / "arm.urdf"
        path.write_text(URDF.replace(before, after))
        return ARM.model_copy(update={"urdf": str(path)})

    return alter


def test_a_good_arm_is_good() -> None:
    assert wrong(ARM) == set()


def test_limits_that_no_arm_has(altered) -> None:
    assert "joint speeds" in wrong(altered('velocity="3.14159265359"', 'velocity="10"'))
    assert wrong(altered('effort="28"', 'effort="0"')) >= {"joint efforts", "simulation"}


def test_a_base_that_is_not_the_root() -> None:
    assert "base frame" in wrong(ARM.model_copy(update={"base_frame": "base_link_inertia"}))


def test_a_home_that_points_elsewhere_or_lies_outside() -> None:
    home = (*ARM.home[:4], -1.0, ARM.home[5])
    assert "tool points down" in wrong(ARM.model_copy(update={"home": home}))
    low = Box(low=ARM.workspace.low, high=(*ARM.workspace.high[:2], 0.2))
    assert wrong(ARM.model_copy(update={"workspace": low})) == {"home in workspace"}
    beyond = (*ARM.home[:2], 3.2, *ARM.home[3:])
    assert "home within limits" in wrong(ARM.model_copy(update={"home": beyond}))


def test_a_task_out_of_reach_or_out_of_view() -> None:
    narrow = Box(low=ARM.workspace.low, high=(0.5, *ARM.workspace.high[1:]))
    assert wrong(ARM.model_copy(update={"workspace": narrow})) == {"task in reach"}
    away = ARM.camera.model_copy(update={"look_at": (0.45, 0.9, 0.08)})
    assert wrong(ARM.model_copy(update={"camera": away})) == {"task in view"}


def test_the_picture_is_the_enlarged_view(tmp_path) -> None:
    path = tmp_path / "new" / "view.png"
    write_picture(path, ARM, TASK, WORLD)
    image = cv2.imread(str(path))
    assert image.shape == (4 * ARM.camera.height, 4 * ARM.camera.width, 3)
    with pytest.raises(ConfigError, match=r"\.png"):
        write_picture(tmp_path / "view.txt", ARM, TASK, WORLD)


def test_links_without_mass_do_not_weigh_a_kilogram(altered, tmp_path) -> None:
    """The simulator gives a kilogram to links without inertia, which frames of ROS descriptions are."""
    mass = '<mass value="0.001"/>\n      <inertia ixx="1e-6" ixy="0" ixz="0" iyy="1e-6" iyz="0" izz="1e-6"/>'
    text = URDF.replace(f"<inertial>\n      {mass}\n    </inertial>", "")
    assert text.count("<inertial>") == URDF.count("<inertial>") - 3
    path = tmp_path / "bare.urdf"
    path.write_text(text)
    arm = ARM.model_copy(update={"urdf": str(path)})
    (tmp_path / "out").mkdir()
    made = simulation_urdf(arm, tmp_path / "out").read_text()
    assert made.count("<inertial>") == made.count("<link ")
    assert wrong(arm) == set()


def test_a_mesh_that_is_missing_is_named(altered, tmp_path) -> None:
    arm = altered('<cylinder radius="0.0375" length="0.044"/>', '<mesh filename="package://lost/hand.stl"/>')
    with pytest.raises(ConfigError, match=r"package://lost/hand\.stl needs the package 'lost'"):
        simulation_urdf(arm, tmp_path)
