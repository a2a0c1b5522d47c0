"""Options of `loopwm sim`, and its lockstep run."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from loopwm_ros.cli.sim import Controllers, Engines, sim
from loopwm_ros.cli.sim_job import camera_size, falls_short, loop_count
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.controllers import CONTROLLERS
from loopwm_ros.validation.engines import CELLS
from tests import episodes as samples

app = typer.Typer()
app.command()(sim)


def test_sizes_and_loops_are_read() -> None:
    assert camera_size("") == (0, 0)
    assert camera_size("640x480") == (640, 480)
    assert loop_count("auto") == 0
    assert loop_count("8") == 8


@pytest.mark.parametrize("text", ["640", "x", "0x480", "-1x2", "640x480x3"])
def test_other_sizes_are_refused(text) -> None:
    with pytest.raises(ConfigError, match="WIDTHxHEIGHT"):
        camera_size(text)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", ""])
def test_other_loops_are_refused(text) -> None:
    with pytest.raises(ConfigError, match="auto"):
        loop_count(text)


@pytest.mark.parametrize(
    ("successes", "episodes", "required", "short"),
    [
        (7, 100, 0.07, False),
        (6, 100, 0.07, True),
        (55, 100, 0.55, False),
        (0, 1, 0.0, False),
        (4, 5, 0.81, True),
    ],
)
def test_the_required_share_itself_is_enough(successes, episodes, required, short) -> None:
    results = [samples.result(i, success=i < successes) for i in range(episodes)]
    assert falls_short(samples.summary(results), required) is short


def test_baselines_need_lockstep() -> None:
    result = CliRunner().invoke(app, ["--controller", "zero"])
    assert isinstance(result.exception, ConfigError)
    assert "--lockstep" in str(result.exception)


@pytest.mark.parametrize(("required", "code"), [("0", 0), ("0.8", 2)])
def test_exit_code_follows_the_required_success_rate(tmp_path, required, code) -> None:
    path = tmp_path / "out.json"
    options = [
        "--controller",
        "zero",
        "--lockstep",
        "--episodes",
        "1",
        "--json",
        str(path),
        "--required",
        required,
        "--strips",
        str(tmp_path / "strips"),
    ]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == code, result.output
    summary = json.loads(path.read_text())
    assert (summary["mode"], summary["controller"], summary["success"]) == ("lockstep", "zero", 0)
    assert summary["cycle_deadline_ms"] is None
    (failed,) = summary["per_episode"]
    assert failed["why"].startswith("stood still")
    assert [path.name for path in (tmp_path / "strips").iterdir()] == ["out-0.webp"]


def test_a_validation_is_for_real_time(tmp_path) -> None:
    result = CliRunner().invoke(app, ["--lockstep", "--validation", str(tmp_path)])
    assert isinstance(result.exception, ConfigError)
    assert "--validation is for real time" in str(result.exception)


def test_workers_are_for_lockstep() -> None:
    result = CliRunner().invoke(app, ["--workers", "2"])
    assert isinstance(result.exception, ConfigError)
    assert "lockstep" in str(result.exception)


def test_the_stand_in_is_noted_in_the_summary(tmp_path) -> None:
    path = tmp_path / "out.json"
    options = [
        "--controller",
        "zero",
        "--lockstep",
        "--episodes",
        "1",
        "--engine",
        "mujoco",
        "--required",
        "0",
    ]
    result = CliRunner().invoke(app, [*options, "--json", str(path)])
    assert result.exit_code == 0, result.output
    summary = json.loads(path.read_text())
    assert summary["engine"] == "mujoco"
    assert summary["versions"]["mujoco"]


def test_all_engines_may_be_chosen() -> None:
    assert {e.value for e in Engines} == set(CELLS)


def test_all_controllers_may_be_chosen() -> None:
    assert {c.value for c in Controllers} == set(CONTROLLERS)
