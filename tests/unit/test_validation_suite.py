"""Suites: the shipped ones, and what is refused in one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from loopwm_ros.bundle import load_bundle
from loopwm_ros.config import load_arm, load_task, load_world, share_dir, usual_arm
from loopwm_ros.control.prediction_monitor import JOINTS
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.faults import FAULTS
from loopwm_ros.validation.suite import Suite, load_suite
from loopwm_ros.validation.suite_run import Subject, requests

SHIPPED = sorted(path.stem for path in (share_dir() / "sim" / "suites").glob("*.yaml"))
HEAVY = ("pybullet", "mujoco", "onnxruntime", "torch", "rclpy", "matplotlib", "pinocchio")


def written(folder: Path, **changes: Any) -> str:
    values = yaml.safe_load((share_dir() / "sim" / "suites" / "quick.yaml").read_text())
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(values | changes))
    return str(path)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_suites_name_points_that_their_tasks_model_reads_out(name: str) -> None:
    suite = load_suite(name)
    task = load_task(suite.task)
    assert {f"{point}_x" for point in suite.gaps.limits if point != JOINTS} <= set(task.quantities)
    asks = any(part.precise is not None for part in suite.parts.values())
    assert not asks or task.precise_distance is not None


@pytest.mark.parametrize("name", SHIPPED)
def test_one_part_alone_has_servos_that_lag(name: str) -> None:
    suite = load_suite(name)
    task = load_task(suite.task)
    bundle = load_bundle(share_dir() / "models" / f"{usual_arm(task.name)}_{task.name}")
    arm = load_arm(bundle.manifest.arm)
    asked = requests(suite, Subject(bundle, arm, task, load_world(task.world)))
    lags = {part: request.world.servo_lag for part, request in asked.items()}
    assert {part for part, lag in lags.items() if lag > 0} == {"lagging"}


@pytest.mark.parametrize("name", ["reach", "push", "clutter"])
def test_the_suites_that_permit_to_arm_leave_out_nothing(name: str) -> None:
    suite = load_suite(name)
    assert suite.faults is not None
    assert set(suite.faults.scenarios) == set(FAULTS)
    assert suite.load is not None
    assert {part.world for part in suite.parts.values()} == {"nominal", "randomised"}
    assert any(part.disturb == "all" for part in suite.parts.values())


def test_the_gate_can_read_a_suite_without_simulator_and_model() -> None:
    code = f"import sys, loopwm_ros.validation.suite; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partz": {}}, "partz: Extra inputs"),
        ({"parts": {"load": {"episodes": 1, "seed": 0}}}, "a part may not be named 'load'"),
        ({"parts": {"a/../b": {"episodes": 1, "seed": 0}}}, "parts"),
        ({"parts": {"shaken": {"episodes": 1, "seed": 0, "disturb": "all"}}}, "a part that is not disturbed"),
        ({"parts": {"none": {"episodes": 0, "seed": 0}}}, "parts.none.episodes"),
        ({"gaps": {"margin": 0.5, "limits": {}}}, "gaps.margin"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        load_suite(path)
    assert path in str(caught.value)


def test_unknown_suites_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no suite 'dance'; valid: clutter, push, quick, reach"):
        load_suite("dance")


def test_a_required_share_is_of_the_rate_unless_said_otherwise(tmp_path: Path) -> None:
    part = {"episodes": 1, "seed": 0, "success": {"at_least": 0.5}}
    suite: Suite = load_suite(written(tmp_path, parts={"only": part}))
    assert suite.parts["only"].success is not None
    assert suite.parts["only"].success.of == "rate"
