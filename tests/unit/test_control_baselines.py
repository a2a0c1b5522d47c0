"""Controllers without a model, on an arm that follows exactly."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.control.assembly import build_gate, build_motion
from loopwm_ros.control.baselines import RandomController, ScriptedController, ToolVelocityController
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.trajectory import sample
from loopwm_ros.types import JointState
from tests.arms import SERVO, ExactArm

ARM, TASK = load_arm("panda"), load_task("reach")
KINEMATICS = Kinematics(ARM)
PERIOD = 0.05
MOTION = build_motion(KINEMATICS, ARM, TASK, PERIOD)
TARGET = np.array([0.5, 0.15, 0.15])
SPEED = TASK.max_tool_speed


def scripted(noise: float = 0.0) -> ScriptedController:
    return ScriptedController(KINEMATICS, MOTION, lambda: TARGET, SPEED, noise=noise)


def tools(controller: Controller, seconds: float, seed: int = 0, loop: Lockstep | None = None) -> np.ndarray:
    """Tool positions, one a servo period, (m, 3)."""
    arm = ExactArm(KINEMATICS.home)
    loop = Lockstep(arm, build_gate(KINEMATICS, ARM, SERVO), controller, 4)
    loop.reset(seed)
    track = []
    for _ in range(round(seconds / SERVO)):
        loop.step()
        track.append(KINEMATICS.tool_position(arm.position))
    return np.array(track)


def test_doing_nothing_stays() -> None:
    track = tools(ToolVelocityController(KINEMATICS, MOTION), 1.0)
    assert np.allclose(track, track[0], atol=1e-3)


def test_scripted_goes_to_its_target_within_the_speed_limit_and_stays() -> None:
    track = tools(scripted(), 4.0)
    assert np.linalg.norm(track[-1] - TARGET) < 0.002
    assert np.linalg.norm(np.diff(track[-20:], axis=0), axis=1).max() < 1e-4
    speeds = np.linalg.norm(np.diff(track, axis=0), axis=1) / SERVO
    assert 0.8 * SPEED < speeds.max() < 1.1 * SPEED


def test_random_wanders_in_the_workspace() -> None:
    track = tools(RandomController(KINEMATICS, MOTION, SPEED), 5.0, seed=3)
    assert np.ptp(track, axis=0).max() > 0.05
    assert np.all(track >= np.asarray(ARM.workspace.low))
    assert np.all(track <= np.asarray(ARM.workspace.high))


@pytest.mark.parametrize("make", [lambda: RandomController(KINEMATICS, MOTION, SPEED), lambda: scripted(0.4)])
def test_an_episode_depends_on_its_seed_alone(make) -> None:
    used = make()
    tools(used, 0.5, seed=1)
    again, fresh = tools(used, 0.5, seed=2), tools(make(), 0.5, seed=2)
    assert np.array_equal(again, fresh)
    assert not np.allclose(fresh, tools(make(), 0.5, seed=1), atol=1e-4)


def test_motion_goes_on_from_what_was_really_sent() -> None:
    controller = scripted()
    joints = JointState(0.0, KINEMATICS.home, np.zeros(7))
    controller.reset(0, 0.0, joints)
    controller.tick(0.0)
    elsewhere = KINEMATICS.home.copy()
    elsewhere[0] += 0.1
    controller.observe_command(0.04, elsewhere)
    assert sample(controller.tick(0.05), 0.05)[0][0] == pytest.approx(elsewhere[0], abs=0.02)
    controller.reset(0, 0.05, joints)
    assert np.allclose(controller.tick(0.05).positions[0], KINEMATICS.home)
