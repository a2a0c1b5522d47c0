"""The calibration node's files belong together, or are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.calibration.guessing import assumed
from loopwm_ros.calibration.hand_eye_files import write_hand_eye
from loopwm_ros.config import load_arm
from loopwm_ros.config.calibration import BoardSettings
from loopwm_ros.errors import MismatchError
from loopwm_ros.nodes.calibration_checks import Calibrated
from loopwm_ros.nodes.calibration_parameters import CalibrationParameters
from tests.calibrations import SMALL

ARM, BOARD = load_arm("panda"), BoardSettings()
OTHER = SMALL.model_copy(update={"fx": 450.0})


def test_a_place_found_through_another_camera_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(yaml.safe_dump(BOARD.model_dump(mode="json")))
    write_camera_info(tmp_path / "camera.yaml", SMALL, "camera")
    files = {"board": "board.yaml", "camera_info": "camera.yaml", "hand_eye": "hand_eye.yaml"}
    settings = CalibrationParameters(arm="panda", **{k: str(tmp_path / v) for k, v in files.items()})
    for lens in (SMALL, None):
        write_hand_eye(tmp_path, assumed(ARM, BOARD, "eye_to_hand").model_copy(update={"lens": lens}))
        assert Calibrated(settings).camera == SMALL
    write_hand_eye(tmp_path, assumed(ARM, BOARD, "eye_to_hand").model_copy(update={"lens": OTHER}))
    with pytest.raises(MismatchError, match=r"hand_eye\.yaml .*camera\.yaml: .*fx 450.0 against 390.0"):
        Calibrated(settings)
    with pytest.raises(MismatchError, match="than that of arm 'panda': another size"):
        Calibrated(settings.model_copy(update={"camera_info": ""}))
