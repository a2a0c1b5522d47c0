"""Suggested poses see the board, stay within limits, go where nothing is hit, and turn enough."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.calibration.samples import LEAST_SPREAD, check_spread
from loopwm_ros.calibration.suggestions import suggest_poses
from loopwm_ros.config import Box
from loopwm_ros.config.calibration import Setup
from loopwm_ros.control.clearance import Clearance
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import CalibrationError
from loopwm_ros.processing.lens import project_through
from tests.calibrations import place, poses


@pytest.mark.parametrize(("arm", "setup"), [("panda", "eye_to_hand"), ("ur5e", "eye_in_hand")])
def test_poses_are_useful_and_safe(arm: str, setup: Setup) -> None:
    there, chosen = place(arm, setup), poses(arm, setup)
    kinematics = Kinematics(there.arm)
    clearance = Clearance(there.arm, kinematics)
    assert len(chosen) == 15
    before = kinematics.home
    for joints in chosen:
        assert (joints >= kinematics.lower).all()
        assert (joints <= kinematics.upper).all()
        tool = kinematics.tool_position(joints)
        assert (tool >= there.arm.workspace.low).all()
        assert (tool <= there.arm.workspace.high).all()
        assert clearance.nearest(joints).distance >= there.arm.clearance
        path = before + np.linspace(0.0, 1.0, 200)[:, None] * (joints - before)
        assert min(clearance.nearest(point).distance for point in path[::5]) >= there.arm.clearance
        pose = there.pose(joints)  # the true one: the guess was rough
        corners = there.board.corners @ pose[:3, :3].T + pose[:3, 3]
        pixels = project_through(there.camera, corners)
        assert ((pixels > 0) & (pixels < [there.camera.width, there.camera.height])).all()
        before = joints
    spread = check_spread(np.stack([kinematics.mount(joints)[0][:3, :3] for joints in chosen]))
    assert spread > 4.0 * LEAST_SPREAD


def test_the_same_seed_gives_the_same_poses() -> None:
    there = place("panda", "eye_in_hand")
    guess = there.guess(np.random.default_rng(0))
    again = [
        suggest_poses(there.arm, there.camera, there.board.settings, "eye_in_hand", guess, 6, seed)
        for seed in (3, 3, 4)
    ]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_a_box_in_the_way_is_avoided_by_arm_and_board() -> None:
    there = place("panda", "eye_to_hand")
    home = there.kinematics.mount(there.kinematics.home)[0][:3, 3]
    left = Box(low=(home[0] - 0.3, home[1] + 0.2, 0.0), high=(home[0] + 0.3, home[1] + 0.4, 0.8))
    arm = there.arm.model_copy(update={"keep_out": {**there.arm.keep_out, "left": left}})
    guess = there.guess(np.random.default_rng(0))
    chosen = suggest_poses(arm, there.camera, there.board.settings, "eye_to_hand", guess, 8, 0)
    clearance = Clearance(arm, Kinematics(arm))
    for joints in chosen:
        assert clearance.nearest(joints).distance >= arm.clearance
        placed = there.kinematics.mount(joints)[0] @ there.board_place
        corners = there.board.corners @ placed[:3, :3].T + placed[:3, 3]
        assert (corners[:, 1] < left.low[1] + 0.05).all()  # the guess is off by some centimetres


def test_a_board_that_cannot_be_seen_is_an_error() -> None:
    there = place("panda", "eye_in_hand")
    guess = there.guess(np.random.default_rng(0))
    away = guess.model_copy(
        update={"board": guess.board.model_copy(update={"translation": (-2.0, 0.0, 0.0)})}
    )
    with pytest.raises(CalibrationError, match=r"0 of 5 poses found .* give a better guess"):
        suggest_poses(there.arm, there.camera, there.board.settings, "eye_in_hand", away, 5, 0)
    tiny = there.board.settings.model_copy(update={"square": 0.004, "marker": 0.003})
    with pytest.raises(CalibrationError, match="larger board"):
        suggest_poses(there.arm, there.camera, tiny, "eye_in_hand", guess, 5, 0)
