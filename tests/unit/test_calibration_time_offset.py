"""The camera's clock against the joints' is found within 2 ms, or it is said what to record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.calibration.time_offset import recording, run
from loopwm_ros.calibration.joint_motion import JointMotion
from loopwm_ros.calibration.time_offset import estimate_time_offset
from loopwm_ros.config.calibration import Setup
from loopwm_ros.errors import CalibrationError
from tests.calibrations import place


@pytest.mark.parametrize(("setup", "offset"), [("eye_to_hand", -0.04), ("eye_in_hand", 0.06)])
def test_within_two_milliseconds(setup: Setup, offset: float) -> None:
    found = run(place("panda", setup), offset, False, np.random.default_rng(0))
    assert abs(found.offset - offset) < 2e-3
    assert abs(found.offset - offset) < 5.0 * found.std
    assert 1e-5 < found.std < 1e-3
    assert found.frames > 80


def test_errors_are_as_large_as_it_says() -> None:
    there = place("ur5e", "eye_to_hand")
    ratios = []
    for seed, offset in enumerate(np.linspace(-0.04, 0.06, 6)):
        found = run(there, offset, False, np.random.default_rng(seed))
        ratios.append((found.offset - offset) / found.std)
    assert 0.4 < np.sqrt(np.mean(np.square(ratios))) < 1.8


def test_what_says_nothing_about_time_is_refused() -> None:
    there = place("panda", "eye_in_hand")
    known = there.known(there.camera_place, there.board_place, (1e-4, 1e-4))
    track, stamps, positions = recording(there, 0.01, False, np.random.default_rng(0), 6.0)

    def estimate(track, stamps, positions):
        return estimate_time_offset(there.arm, there.camera, known, track, stamps, positions)

    with pytest.raises(CalibrationError, match="10 frames that show the board; expected at least 30"):
        estimate(track[:10], stamps, positions)
    still = [replace(frame, detection=track[0].detection) for frame in track]
    with pytest.raises(CalibrationError, match=r"moves through the picture at 0 px/s.*back and forth"):
        estimate(still, stamps, positions)
    with pytest.raises(CalibrationError, match="correlate by"):
        estimate(track, stamps, positions[::-1])
    with pytest.raises(CalibrationError, match="frames with joint positions around them"):
        estimate(track, stamps[:150], positions[:150])
    with pytest.raises(CalibrationError, match="stamps must increase"):
        estimate(track, stamps[::-1], positions)
    with pytest.raises(CalibrationError, match=r"expected \(m,\) and \(m, 7\)"):
        estimate(track, stamps, positions[:, :3])


def test_gaps_are_not_interpolated() -> None:
    stamps = np.concatenate([np.arange(0.0, 1.0, 0.01), np.arange(1.3, 2.0, 0.01)])
    motion = JointMotion(stamps, np.sin(stamps)[:, None], np.zeros(1))
    times = np.array([-0.1, 0.01, 0.5, 0.985, 1.1, 1.5, 1.985])
    assert motion.covers(times, 0.02).tolist() == [False, False, True, False, False, True, False]
    inside = np.array([0.5, 1.5])
    assert np.allclose(motion.positions(inside)[:, 0], np.sin(inside), atol=1e-6)
    assert np.allclose(motion.velocities(inside)[:, 0], np.cos(inside), atol=1e-3)
