"""A camera on the hand, calibrated from a recording in which the arm goes from pose to pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from typer.testing import CliRunner

from benchmarks.calibration.example_cell import ExampleCell, write_stops
from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.calibration.finishing import read_result
from loopwm_ros.calibration.hand_eye_files import read_hand_eye
from loopwm_ros.cli.main import app
from loopwm_ros.processing.poses import apart, matrix

POSES = 9


def test_a_sample_is_taken_of_each_standstill(tmp_path: Path) -> None:
    cell = ExampleCell.usual("eye_in_hand")
    write_camera_info(tmp_path / "camera_info.yaml", cell.camera, "camera")
    (tmp_path / "board.yaml").write_text(yaml.safe_dump(cell.board.model_dump(mode="json")))
    write_stops(cell, tmp_path / "bag", POSES, seed=1)
    words = [
        "calibrate",
        "hand-eye",
        "--bag",
        "bag",
        "--setup",
        "eye_in_hand",
        "--arm",
        "panda",
        "--out",
        "out",
    ]
    words += ["--camera", "camera_info.yaml", "--board", "board.yaml"]
    named = [str(tmp_path / word) if (tmp_path / word).exists() or word == "out" else word for word in words]
    done = CliRunner().invoke(app, named, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"{POSES} pictures kept" in " ".join(done.output.split())
    found = read_hand_eye(tmp_path / "out")
    turn, shift = apart(matrix(cell.truth.camera), matrix(found.camera))
    assert np.linalg.norm(shift) < 0.002
    assert np.rad2deg(np.linalg.norm(turn)) < 0.2
    assert (found.parent, found.board_parent) == (cell.arm.tool_frame, cell.arm.base_frame)
    assert read_result(tmp_path / "out").verdict.grade == "usable", "there are few poses"
