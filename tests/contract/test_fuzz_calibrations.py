"""Calibrations from anybody: they validate and can be used, or there is one error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.calibration.easy_hand_eye import read_easy_hand_eye
from loopwm_ros.calibration.hand_eye_files import launch_text, read_hand_eye, write_hand_eye
from loopwm_ros.config.calibration import HandEye, Transform
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.poses import matrix
from tests.calibrations import SMALL
from tests.mutation import damaged_bytes, damaged_trees, fuzz

POSE = Transform(translation=(1.25, -1e-5, 0.75), rotation=(0.6, 0.0, -0.8, 0.0))
RESULT = HandEye(
    arm="panda",
    setup="eye_to_hand",
    parent="panda_link0",
    child="camera_optical_frame",
    camera=POSE,
    board_parent="panda_grasptarget",
    board=POSE,
    translation_std=(1e-4, 2e-4, 3e-4),
    rotation_std=(1e-5, 2e-5, 3e-5),
    joint_offsets={"panda_joint2": 0.004},
    time_offset=-0.0125,
    lens=SMALL,
)


def ours(path: Path) -> None:
    result = read_hand_eye(path)
    assert np.isfinite([matrix(result.camera), matrix(result.board)]).all()
    compile(launch_text(result), "hand_eye.launch.py", "exec")


def theirs(path: Path) -> None:
    assert np.isfinite(matrix(read_easy_hand_eye(path).camera)).all()


@pytest.mark.parametrize(("name", "use"), [("hand_eye.yaml", ours), ("panda.calib", theirs)])
def test_damaged_calibrations_can_be_used_or_get_an_error(
    tmp_path: Path, name: str, use: Callable[[Path], None]
) -> None:
    write_hand_eye(tmp_path / "good", RESULT)
    text = (tmp_path / "good" / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(text)
    use(path)

    @fuzz(100)
    @given(st.one_of(damaged_trees(yaml.safe_load(text)).map(yaml.safe_dump), damaged_bytes(text)))
    def check(made: str | bytes) -> None:
        path.write_bytes(made if isinstance(made, bytes) else made.encode())
        said = str(path)
        try:
            use(path)
        except ConfigError as error:
            said = str(error)
        assert str(path) in said

    check()
