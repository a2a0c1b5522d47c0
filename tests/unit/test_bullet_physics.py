"""The simulated servos and what the arm presses on: speed limits, lag, foam."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import TaskConfig, load_arm, load_task, load_world
from loopwm_ros.control.kinematics import Kinematics

ARM, TASK = load_arm("panda"), load_task("reach")
WORLD = load_world(TASK.world)
KINEMATICS = Kinematics(ARM)


def ball(stiffness: float) -> TaskConfig:
    soft = TASK.objects["ball"].model_copy(update={"stiffness": stiffness, "x": (0.5, 0.5), "y": (0.0, 0.0)})
    return TASK.model_copy(update={"objects": {"ball": soft}})


def test_a_servo_is_no_faster_than_the_urdf_says() -> None:
    cell = BulletCell(ARM, TASK, WORLD)
    cell.reset(0)
    command = cell.joint_state().position + 0.1 * np.eye(7)[0]
    speeds = []
    for _ in range(20):
        cell.step(command)
        speeds.append(np.abs(cell.joint_state().velocity))
    cell.close()
    limit = KINEMATICS.velocity_limit / ARM.velocity_scale
    assert np.all(np.max(speeds, axis=0) <= 1.02 * limit)
    assert np.max(speeds, axis=0)[0] > 0.9 * limit[0], "it would be faster"


@pytest.mark.parametrize("lag", [0.0, 0.05])
def test_a_servo_with_a_lag_is_that_far_behind_at_constant_speed(lag: float) -> None:
    cell = BulletCell(ARM, TASK, WORLD.model_copy(update={"servo_lag": lag}))
    cell.reset(0)
    start, speed = cell.joint_state().position, 0.3
    for i in range(80):
        command = start + speed * (i + 1) / WORLD.servo_rate * np.eye(7)[0]
        cell.step(command)
    behind = (command - cell.joint_state().position)[0] / speed
    cell.close()
    assert behind == pytest.approx(lag, abs=0.015)


def pressed(stiffness: float) -> float:
    """Greatest force on the ball as the tool comes down on it, 1 cm into it [N]."""
    cell = BulletCell(ARM, ball(stiffness), WORLD)
    cell.reset(3)
    place = cell.truth().points["ball"]
    joints = KINEMATICS.reach(cell.joint_state().position, place + np.array([0.0, 0.0, 0.12]))
    top = place[2] + cell._draw.things["ball"].size
    most = 0.0
    for height in np.linspace(place[2] + 0.12, top - 0.01, 120):
        joints = KINEMATICS.reach(joints, np.array([place[0], place[1], height]))
        cell.step(joints)
        most = max(most, cell.contact().things)
    cell.close()
    return most


def test_foam_yields_where_a_hard_ball_is_pressed_with_all_that_the_arm_has() -> None:
    soft = pressed(1000.0)
    assert 1.0 < soft < 30.0
    assert pressed(0.0) > 3.0 * soft
