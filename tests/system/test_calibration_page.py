"""docs/calibration.md, followed to the word on rendered pictures: every command, in its order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration.example_cell import OFFSET
from loopwm_ros.calibration.camera_info import read_camera_info
from loopwm_ros.calibration.finishing import read_result
from loopwm_ros.calibration.hand_eye_files import read_hand_eye

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = {"VIEWS": "16", "POSES": "8", "MOTION": "3.5"}


@pytest.mark.timeout(1200)  # a busy machine
def test_the_page_leads_from_a_board_to_a_calibrated_camera(tmp_path: Path) -> None:
    for name, text in {"loopwm": "-m loopwm_ros.cli.main", "python": ""}.items():
        command = tmp_path / ".venv" / "bin" / name
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {text} "$@"\n')
        command.chmod(0o755)
    environment = os.environ | SMALL | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    page = (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8")
    commands = BLOCK.findall(page)
    assert len(commands) == 7
    said = []
    for command in commands:
        done = subprocess.run(
            ["bash", "-e"],
            input=command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    assert (tmp_path / "out/board.pdf").read_bytes().startswith(b"%PDF")
    assert "refused 017.png shows the same as 001.png" in " ".join(said[2].split())
    assert len(re.findall(r"\[.*\] rad, panda_joint1 first", said[5])) == 5
    assert_right(tmp_path / "out")


def assert_right(out: Path) -> None:
    camera, truth = (read_camera_info(out / where / "camera_info.yaml") for where in ("camera", "cell/truth"))
    assert abs(camera.fx / truth.fx - 1) < 0.01
    place, true_place = (read_hand_eye(out / where) for where in ("time", "cell/truth"))
    apart = np.subtract(place.camera.translation, true_place.camera.translation)
    assert np.linalg.norm(apart) < 0.01
    assert place.time_offset is not None
    assert abs(place.time_offset - OFFSET) < 0.002
    for step in ("camera", "hand_eye", "time"):
        assert read_result(out / step).verdict.grade in ("good", "usable")
        page = (out / step / "report.html").read_text(encoding="utf-8")
        assert "<title>Good" in page or "<title>Usable" in page
        assert "http" not in re.sub(r"http://www\.w3\.org\S*", "", page.split("base64")[0]), (
            "needs nothing else"
        )
    assert [path.name for path in (out / "camera" / "undone").iterdir()] == ["0002.png"]
