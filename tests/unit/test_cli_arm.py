"""`loopwm arm` says what is wrong with an arm file, and shows what its camera sees."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from loopwm_ros.cli.main import app

WIDE = {"COLUMNS": "200"}


def test_a_good_arm_and_its_picture(tmp_path: Path) -> None:
    picture = tmp_path / "view.png"
    done = CliRunner(env=WIDE).invoke(app, ["arm", "ur5e", "--task", "push", "--picture", str(picture)])
    assert done.exit_code == 0, done.output
    assert "✗" not in done.output
    assert picture.is_file()


def test_a_wrong_one_has_exit_status_1_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "arm.yaml"
    path.write_text("extends: ur5e\nworkspace: {low: [0.3, -0.1, 0.0], high: [0.6, 0.1, 0.4]}\n")
    done = CliRunner(env=WIDE).invoke(app, ["arm", str(path)])
    assert done.exit_code == 1
    assert "(0.35, -0.28, 0.07) is outside workspace" in done.output
    assert "widen workspace" in done.output
