"""`loopwm bench deadline` and `bench start` as a user starts them: nodes in real time, each a process.

The bundle is made by hand (tests/bundles.py). Whether commands are in time is the machine's business.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loopwm_ros.bench.results import CameraBench, DeadlineBench, StartBench
from loopwm_ros.config import load_arm, load_task
from tests.bundles import make_bundle


def bench_command(folder: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """What became of it, and the result that it wrote."""
    bundle, out = make_bundle(folder / "bundle", load_arm("panda"), load_task("reach")), folder / "out.json"
    command = [sys.executable, "-m", "loopwm_ros.cli.main", "bench", *words, "--task", "reach"]
    command += ["--bundle", str(bundle.root), "--json", str(out)]
    alone = {name: value for name, value in os.environ.items() if name != "ROS_DOMAIN_ID"}
    done = subprocess.run(command, env=alone, capture_output=True, text=True, timeout=240, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done, out.read_text(encoding="utf-8")


def test_the_graph_runs_at_each_rate_with_busy_processes_beside(tmp_path: Path) -> None:
    done, result = bench_command(tmp_path, "deadline", "--minutes", "0.1", "--stress")
    bench = DeadlineBench.model_validate_json(result)
    assert bench.stress
    assert [run.commands_per_second for run in bench.runs] == [20.0, 50.0]
    missed = sum(run.summary.deadline_misses for run in bench.runs)
    assert done.returncode == (3 if missed else 0), done.stdout + done.stderr
    slow, fast = (run.summary for run in bench.runs)
    assert slow.cycles > 5
    assert fast.cycles / fast.plans == pytest.approx(5, rel=0.3), "five commands an action of 0.1 s"
    assert slow.cycles / slow.plans == pytest.approx(2, rel=0.3)
    for run in bench.runs:
        assert [node.node for node in run.nodes] == ["sim", "safety", "mpc"]
        assert all(node.rss_mb[-1] > 20 and node.cores > 0 and node.threads > 1 for node in run.nodes)
        assert [topic.node for topic in run.topics] == ["sim", "sim", "mpc", "safety"]
        plan = next(topic for topic in run.topics if topic.node == "mpc")
        assert plan.period_ms == pytest.approx(1e3 / run.commands_per_second, rel=0.2)
        assert len(run.steps) == 2


def test_a_cold_start_ends_with_motion_and_idle_nodes_are_looked_at(tmp_path: Path) -> None:
    done, result = bench_command(tmp_path, "start", "--times", "1", "--idle", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    bench = StartBench.model_validate_json(result)
    (steps,) = bench.starts
    assert list(steps) == ["configured", "active", "armed", "first motion"]
    assert 0.0 < steps["configured"] < steps["active"] < steps["armed"] < steps["first motion"]
    assert [node.node for node in bench.idle] == ["safety", "monitor", "mpc"]
    assert all(node.seconds >= 4.0 and 0.0 < node.cores < 1.0 for node in bench.idle)


def test_pictures_are_read_at_their_rate_and_prepared_once_a_plan(tmp_path: Path) -> None:
    words = ("camera", "--size", "320x240", "--rate", "20", "--seconds", "2")
    done, result = bench_command(tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    bench = CameraBench.model_validate_json(result)
    assert [row.transport for row in bench.rows] == ["compressed", "raw"]
    for row in bench.rows:
        assert row.read == pytest.approx(20.0, rel=0.3)
        assert row.prepared == pytest.approx(10.0, rel=0.3), "one a plan"
        assert 0.0 < row.cores + row.idle_cores < 1.0, "one alone may be noise"
