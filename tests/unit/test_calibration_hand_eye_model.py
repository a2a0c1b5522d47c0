"""Derivatives of expected corners are those of the residuals; frames are as described."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.calibration.hand_eye_model import LOST, Sight, SightModel, board_in_camera, offsets
from loopwm_ros.config.calibration import Setup
from loopwm_ros.processing.poses import apart, inverse, moved
from tests.calibrations import place, poses


@pytest.mark.parametrize("setup", ["eye_to_hand", "eye_in_hand"])
def test_derivatives(setup: Setup) -> None:
    there = place("ur5e", setup)
    rng = np.random.default_rng(0)
    sights = [
        Sight((seen := there.corners(joints, 1.0, rng)).points, seen.pixels, joints)
        for joints in poses("ur5e", setup)[:3]
    ]
    model = SightModel(there.kinematics, there.camera, setup, sights)
    camera, board, added = there.camera_place, there.board_place, rng.normal(0.0, 0.01, 6)
    expected = model.expected(camera, board, added)
    assert np.allclose(expected.residuals, model.residuals(camera, board, added))
    functions = {
        "camera": lambda d: model.residuals(moved(camera, d[:3], d[3:]), board, added),
        "board": lambda d: model.residuals(camera, moved(board, d[:3], d[3:]), added),
        "joints": lambda d: model.residuals(camera, board, added + d),
    }
    for name, function in functions.items():
        steps = 1e-6 * np.eye(6)
        numeric = np.stack([(function(s) - function(-s)) / 2e-6 for s in steps], axis=1)
        given = getattr(expected, name)
        assert np.abs(numeric - given).max() < 1e-6 * np.abs(given).max(), name


def test_a_board_behind_the_camera_is_far_off_and_no_more() -> None:
    there = place("ur5e", "eye_in_hand")
    joints = poses("ur5e", "eye_in_hand")[0]
    seen = there.corners(joints, 0.0, np.random.default_rng(0))
    model = SightModel(
        there.kinematics, there.camera, "eye_in_hand", [Sight(seen.points, seen.pixels, joints)]
    )
    behind = moved(there.camera_place, np.array([np.pi, 0.0, 0.0]), np.zeros(3))
    expected = model.expected(behind, there.board_place, np.zeros(6))
    assert (expected.residuals == LOST).all()
    assert np.isfinite(expected.camera).all()


@pytest.mark.parametrize("setup", ["eye_to_hand", "eye_in_hand"])
def test_the_board_is_where_camera_and_tool_put_it(setup: Setup) -> None:
    there = place("panda", setup)
    known = there.known(there.camera_place, there.board_place)
    joints = poses("panda", setup)[2]
    tool, _ = there.kinematics.mount(joints)
    first, second = (tool, np.eye(4)) if setup == "eye_in_hand" else (np.eye(4), tool)
    wanted = inverse(first @ there.camera_place) @ second @ there.board_place
    turn, shift = apart(wanted, board_in_camera(there.kinematics, known, joints))
    assert np.abs([*turn, *shift]).max() < 1e-9
    named = known.model_copy(update={"joint_offsets": {"panda_joint3": 0.01}})
    assert np.allclose(offsets(there.arm, named), [0, 0, 0.01, 0, 0, 0, 0])
