"""Pushing with truth: around the object, then along the line to the goal, until it is there."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.scripted import scripted_controller
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.control.assembly import build_gate, build_motion
from loopwm_ros.control.baselines import ScriptedController
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.pushing import PushingController, PushSettings
from loopwm_ros.types import JointState

ARM, TASK = load_arm("panda_rod"), load_task("push")
WORLD = load_world(TASK.world)
KINEMATICS = Kinematics(ARM)
MOTION = build_motion(KINEMATICS, ARM, TASK, 1.0 / WORLD.control_rate)
THING, GOAL = np.array([0.5, 0.0, 0.03]), np.array([0.5, 0.2, 0.0])
HOME = JointState(0.0, np.asarray(ARM.home), np.zeros(len(ARM.home)))


def controller(goal: np.ndarray = GOAL, **settings: float) -> PushingController:
    return PushingController(KINEMATICS, MOTION, lambda: (THING, goal), PushSettings(**settings))


def velocity(x: float, y: float, **settings: float) -> np.ndarray:
    return controller(**settings).velocity(np.array([x, y, 0.03]))


def test_from_behind_it_pushes_along_the_line_to_the_goal() -> None:
    pushing = velocity(0.5, -0.05)
    assert pushing == pytest.approx([0.0, PushSettings().speed, 0.0], abs=1e-9)
    beside = velocity(0.51, -0.05)
    assert beside[1] > 0.1
    assert beside[0] < -0.01, "back to the line"


def test_it_slows_down_near_the_goal_and_stops_at_it() -> None:
    near = controller(THING + np.array([0.0, 0.02, 0.0])).velocity(np.array([0.5, -0.05, 0.03]))
    assert 0.0 < near[1] < 0.1
    there = controller(THING + np.array([0.0, 0.005, 0.0])).velocity(np.array([0.5, -0.05, 0.03]))
    assert np.array_equal(there, np.zeros(3))


@pytest.mark.parametrize("angle", np.linspace(-1.2, 4.2, 10))
def test_it_gets_behind_the_object_without_touching_it(angle: float) -> None:
    tool = THING[:2] + 0.09 * np.array([np.cos(angle), np.sin(angle)])
    pushing = controller()
    least = np.inf
    for _ in range(200):
        if tool[1] < THING[1] and abs(tool[0] - THING[0]) < 0.35 * 0.075:
            break
        planar = pushing.velocity(np.array([*tool, 0.03]))
        assert planar[2] == 0.0
        assert np.linalg.norm(planar) <= PushSettings().speed + 1e-9
        tool = tool + planar[:2] * 0.05
        least = min(least, float(np.linalg.norm(tool - THING[:2])))
    else:
        pytest.fail("never got behind it")
    assert least > 0.06


def test_noise_is_its_own_stream_and_begins_anew() -> None:
    noisy = controller(noise=0.5)
    runs = []
    for _ in range(2):
        noisy.reset(4, 0.0, HOME)
        runs.append([noisy.velocity(np.array([0.5, -0.05, 0.03])) for _ in range(5)])
    assert np.array_equal(runs[0], runs[1])
    assert np.ptp(runs[0], axis=0)[0] > 0.01
    assert not np.any(np.array(runs)[..., 2])


def test_the_scripted_controller_is_the_one_the_task_needs() -> None:
    cell = BulletCell(ARM, TASK, WORLD)
    assert isinstance(scripted_controller(KINEMATICS, MOTION, TASK, cell), PushingController)
    cell.close()
    arm, task = load_arm("panda"), load_task("reach")
    cell, kinematics = BulletCell(arm, task, WORLD), Kinematics(arm)
    motion = build_motion(kinematics, arm, task, 0.05)
    reaching = scripted_controller(kinematics, motion, task, cell)
    assert isinstance(reaching, ScriptedController)
    assert np.allclose(reaching._target(), cell.truth().points["ball"] + task.goal_offset)
    cell.close()


def test_the_cube_is_pushed_to_the_goal_in_the_cell() -> None:
    blind = ARM.model_copy(update={"camera": ARM.camera.model_copy(update={"rate": 1.0})})  # it is not used
    cell = BulletCell(blind, TASK, WORLD)
    pushing = scripted_controller(KINEMATICS, MOTION, TASK, cell)
    loop = Lockstep(cell, build_gate(KINEMATICS, ARM, 1.0 / WORLD.servo_rate), pushing, 4)
    for seed in range(4):
        loop.reset(seed)
        heights = []
        while cell.truth().distance > 0.01 and cell.now < TASK.time_limit:
            loop.step()
            heights.append(cell.truth().tool[2])
        assert cell.truth().distance <= 0.01, f"seed {seed}"
        assert TASK.plane is not None
        assert np.allclose(heights, TASK.plane.height, atol=0.01), "the rod stays in its plane"
    cell.close()
