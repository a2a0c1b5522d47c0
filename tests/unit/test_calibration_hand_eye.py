"""Hand-eye calibration finds camera, board and joint offsets, says how sure it is, and refuses the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loopwm_ros.calibration.hand_eye import calibrate_hand_eye
from loopwm_ros.calibration.hand_eye_methods import METHODS, by_method
from loopwm_ros.calibration.samples import Sample
from loopwm_ros.config.calibration import Setup
from loopwm_ros.errors import CalibrationError
from loopwm_ros.processing.poses import apart, matrix
from tests.calibrations import SMALL, place, poses, samples

SETUPS: tuple[Setup, ...] = ("eye_to_hand", "eye_in_hand")


def off(there, found) -> tuple[float, float]:
    turn, shift = there.error(found.result)
    return 1e3 * float(np.linalg.norm(shift)), float(np.degrees(np.linalg.norm(turn)))


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("arm", ["panda", "ur5e"])
def test_within_a_millimetre_and_a_tenth_of_a_degree_with_bad_samples(arm: str, setup: Setup) -> None:
    there, rng = place(arm, setup), np.random.default_rng(1)
    taken = samples(there, poses(arm, setup), rng)
    late = taken[3].joints + rng.normal(0.0, 0.02, len(taken[3].joints))
    shift = np.array([9.0, -7.0])
    slipped = replace(taken[8].detection, pixels=taken[8].detection.pixels + shift)
    taken += [
        replace(taken[3], name="late", joints=late),
        replace(taken[8], name="slipped", detection=slipped),
    ]
    found = calibrate_hand_eye(there.arm, there.camera, taken, setup)
    millimetres, degrees = off(there, found)
    assert millimetres < 1.0
    assert degrees < 0.1
    assert found.result.lens == there.camera
    assert set(found.dropped) == {"late", "slipped"}
    assert "px (RMS) from where the other samples put them" in found.dropped["late"]
    assert set(found.residuals) == {sample.name for sample in taken} - set(found.dropped)
    assert found.rms < 0.5
    assert 3e-5 < found.joint_noise < 3e-4
    assert set(found.methods) == set(METHODS)
    for name, method in found.methods.items():
        assert method is not None, name
        turn, away = apart(there.camera_place, matrix(method))
        assert np.linalg.norm(away) < 0.02, name
        assert np.linalg.norm(turn) < 0.05, name
    board_turn, board_shift = apart(there.board_place, matrix(found.result.board))
    assert np.linalg.norm(board_shift) < 1e-3
    assert np.linalg.norm(board_turn) < 2e-3
    frames = (there.arm.base_frame, there.arm.tool_frame)
    assert (found.result.parent, found.result.board_parent) == (
        frames if setup == "eye_to_hand" else frames[::-1]
    )


def test_from_pictures() -> None:
    there, rng = place("panda", "eye_in_hand", SMALL), np.random.default_rng(0)
    chosen = poses("panda", "eye_in_hand", SMALL, 10)
    taken = [
        Sample(f"{i}", there.drawn(joints, rng), joints + rng.normal(0.0, 1e-4, 7), float(i))
        for i, joints in enumerate(chosen)
    ]
    found = calibrate_hand_eye(there.arm, there.camera, taken, "eye_in_hand")
    millimetres, degrees = off(there, found)
    assert millimetres < 1.0
    assert degrees < 0.1
    assert not found.dropped


@pytest.mark.parametrize("setup", SETUPS)
def test_errors_are_as_large_as_it_says(setup: Setup) -> None:
    there, chosen = place("ur5e", setup), poses("ur5e", setup)
    ratios = []
    for seed in range(10):
        found = calibrate_hand_eye(
            there.arm, there.camera, samples(there, chosen, np.random.default_rng(seed)), setup
        )
        turn, shift = there.error(found.result)
        ratios.append([*shift / found.result.translation_std, *turn / np.asarray(found.result.rotation_std)])
    assert 0.7 < np.sqrt(np.mean(np.square(ratios))) < 1.4


def test_a_focal_length_that_is_off_is_counted_in() -> None:
    there, chosen = place("panda", "eye_to_hand"), poses("panda", "eye_to_hand")
    taken = samples(there, chosen, np.random.default_rng(0))
    longer = there.camera.model_copy(update={"fx": 1.001 * there.camera.fx, "fy": 1.001 * there.camera.fy})
    sure, unsure = (
        calibrate_hand_eye(there.arm, longer, taken, "eye_to_hand", focal_std=std) for std in (0.0, 1e-3)
    )
    assert sure.result.camera == unsure.result.camera
    _, shift = there.error(sure.result)
    assert np.abs(shift / sure.result.translation_std).max() > 4.0
    assert 0.3 < np.abs(shift / unsure.result.translation_std).max() < 2.0


@pytest.mark.parametrize("setup", SETUPS)
def test_joint_offsets_are_found_where_they_can_be_told(setup: Setup) -> None:
    there, rng = place("panda", setup), np.random.default_rng(2)
    true = rng.normal(0.0, 5e-3, 7)
    true[[0, -1]] = 0.0
    taken = [replace(s, joints=s.joints - true) for s in samples(there, poses("panda", setup), rng)]
    found = calibrate_hand_eye(there.arm, there.camera, taken, setup, joint_offsets=True)
    names = there.arm.joints
    assert set(found.held) == {names[0], names[-1]}
    assert set(found.result.joint_offsets) == set(found.offset_std) == set(names[1:-1])
    errors = np.array([found.result.joint_offsets[name] - true[names.index(name)] for name in names[1:-1]])
    std = np.array([found.offset_std[name] for name in names[1:-1]])
    assert (np.abs(errors) < 4.0 * std).all()
    assert np.sqrt(np.mean(errors**2)) < 1e-3
    assert off(there, found)[0] < 1.0
    blind = calibrate_hand_eye(there.arm, there.camera, taken, setup)
    assert blind.result.joint_offsets == {}
    assert blind.rms > 2.0 * found.rms


def turned(there, amount: float):
    """Samples whose tool turns about one axis only."""
    taken = []
    for number, angle in enumerate(np.linspace(-amount, amount, 11)):
        joints = there.kinematics.home.copy()
        joints[0] += angle
        rng = np.random.default_rng(number)
        taken.append(Sample(f"{number}", there.corners(joints, 0.05, rng), joints, float(number)))
    return taken


def test_motion_that_determines_nothing_is_refused() -> None:
    there = place("panda", "eye_in_hand")
    with pytest.raises(CalibrationError, match=r"by 0\.0 about any other; .* turned by 20 to 40 degrees"):
        calibrate_hand_eye(there.arm, there.camera, turned(there, 0.15), "eye_in_hand")
    with pytest.raises(CalibrationError, match="its x and its y and its z axis"):
        calibrate_hand_eye(there.arm, there.camera, turned(there, 0.002), "eye_in_hand")
    with pytest.raises(CalibrationError, match="4 usable samples; expected at least 5"):
        calibrate_hand_eye(there.arm, there.camera, turned(there, 0.1)[:4], "eye_in_hand")


def test_samples_that_cannot_be_are_named() -> None:
    there, chosen = place("panda", "eye_in_hand"), poses("panda", "eye_in_hand")
    taken = samples(there, chosen, np.random.default_rng(0))
    arguments = there.arm, there.camera
    with pytest.raises(CalibrationError, match="two samples are named 'sample 1'"):
        calibrate_hand_eye(*arguments, [*taken, taken[1]], "eye_in_hand")
    with pytest.raises(CalibrationError, match=r"'x' has joints \[0.0, 0.0\]; expected 7 finite"):
        calibrate_hand_eye(*arguments, [replace(taken[0], name="x", joints=np.zeros(2))], "eye_in_hand")
    rng = np.random.default_rng(0)
    mixed = [replace(s, joints=s.joints + rng.normal(0.0, 0.1, 7)) for s in taken]
    with pytest.raises(CalibrationError, match=r"samples cannot be used|mrad apart from sample"):
        calibrate_hand_eye(*arguments, [*taken[:5], *mixed[5:]], "eye_in_hand")
    warped = replace(taken[2].detection, pixels=taken[2].detection.pixels + rng.normal(0.0, 5.0, (35, 2)))
    bad = replace(taken[2], name="warped", detection=warped)
    assert (
        "from those of a flat board"
        in calibrate_hand_eye(*arguments, [*taken, bad], "eye_in_hand").dropped["warped"]
    )


def test_a_wrong_corner_does_no_harm() -> None:
    there, chosen = place("panda", "eye_in_hand"), poses("panda", "eye_in_hand")
    taken = samples(there, chosen, np.random.default_rng(0))
    pixels = taken[4].detection.pixels.copy()
    pixels[7] += 30.0
    taken[4] = replace(taken[4], detection=replace(taken[4].detection, pixels=pixels))
    found = calibrate_hand_eye(there.arm, there.camera, taken, "eye_in_hand")
    assert not found.dropped
    assert len(found.residuals["sample 4"]) == len(pixels) - 1
    assert off(there, found)[0] < 1.0


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_fails_gives_none(name: str) -> None:
    still = np.tile(np.eye(4), (2, 1, 1))
    assert by_method(name, still, still) is None
