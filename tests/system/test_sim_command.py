"""`loopwm sim` as a user starts it: a process of its own, its files and its exit status.

The bundle is made by hand (tests/bundles.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from loopwm_ros.bundle import Bundle
from loopwm_ros.config import load_arm, load_task, share_dir
from loopwm_ros.validation.summary import Summary, read_summary
from tests.bundles import make_bundle

SEED = 11


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"), load_arm("panda"), load_task("reach"))


def sim(bundle: Bundle, out: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Summary]:
    command = [sys.executable, "-m", "loopwm_ros.cli.main", "sim", "--bundle", str(bundle.root)]
    command += ["--episodes", "1", "--seed", str(SEED), "--out", str(out), *arguments]
    alone = {name: value for name, value in os.environ.items() if name != "ROS_DOMAIN_ID"}
    done = subprocess.run(command, env=alone, capture_output=True, text=True, timeout=240, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done, read_summary(out / "summary.json")


def check_report(out: Path, bundle: Bundle, summary: Summary) -> None:
    assert (summary.seed, summary.episodes, summary.bundle_sha256) == (SEED, 1, bundle.sha256)
    assert summary.plans == summary.per_episode[0].plans > 0
    assert summary.cycles == summary.per_episode[0].cycles > 5
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "data:image/webp;base64," in page, "what the camera saw"


def test_a_run_in_lockstep(bundle: Bundle, tmp_path: Path) -> None:
    done, summary = sim(bundle, tmp_path / "out", "--lockstep", "--required", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 episodes succeeded" in done.stdout
    assert (summary.mode, summary.success, summary.real_time_factor) == ("lockstep", 1, None)
    check_report(tmp_path / "out", bundle, summary)


def test_a_run_that_succeeds_too_seldom_has_its_own_exit_status(bundle: Bundle, tmp_path: Path) -> None:
    settings = yaml.safe_load((share_dir() / "sim" / "tasks" / "reach.yaml").read_text())
    task = tmp_path / "hurried.yaml"
    task.write_text(yaml.safe_dump(settings | {"time_limit": 0.6}))
    done, summary = sim(bundle, tmp_path / "out", "--lockstep", "--task", str(task))
    assert (done.returncode, summary.success) == (2, 0)
    check_report(tmp_path / "out", bundle, summary)


def test_a_run_in_real_time_over_ros(bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done, summary = sim(bundle, out, "--required", "0")  # a busy machine may shed all planning
    assert done.returncode == 0, done.stdout + done.stderr
    assert (summary.mode, summary.cycle_deadline_ms) == ("realtime", 100.0)
    assert summary.real_time_factor is not None
    assert summary.real_time_factor > 0
    check_report(out, bundle, summary)
    assert {"score.jsonl", "trace.jsonl"} <= {path.name for path in (out / "log").iterdir()}
