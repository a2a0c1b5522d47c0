"""The nodes as processes: exit codes, start failures, and the whole chain under its supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray

from loopwm_ros.bundle import load_bundle
from loopwm_ros.config import load_arm, load_task, load_world, share_dir
from loopwm_ros.nodes.processes import PARENT_VARIABLE, Child, ProcessError, orphaned
from loopwm_ros.nodes.qos import REPORT
from loopwm_ros.nodes.supervisor import RealtimeRequest, run_realtime
from loopwm_ros.validation.lockstep_run import EpisodeRun, RunRequest
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import Progress

Result = TypeVar("Result")


def segments(child: Child) -> set[Path]:
    """Shared memory of messages that the process has open."""
    lines = Path(f"/proc/{child.process.pid}/maps").read_text().splitlines()
    paths = {Path(line.split()[-1]) for line in lines if "/dev/shm/fastdds_" in line}
    return {path for path in paths if "port" not in path.name}


def test_either_signal_ends_a_node_with_exit_code_0_and_nothing_left_behind(bench) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    numbers = {"sim": signal.SIGINT, "safety": signal.SIGTERM, "mpc": signal.SIGINT}
    before = set(Path("/dev/shm").iterdir())  # ours: each child reads from it, too
    children = {name: bench.start(name, arm="panda") for name in numbers}
    bench.until(lambda: {s.name for m in heard for s in m.status} == set(numbers))
    shared = {name: segments(child) - before for name, child in children.items()}
    for name, number in numbers.items():
        for _ in range(2):  # as a launch that forwards what the terminal has sent already
            children[name].process.send_signal(number)
    assert {name: child.process.wait(30) for name, child in children.items()} == dict.fromkeys(numbers, 0)
    bench.close()
    assert {name for name, paths in shared.items() if paths} == {"sim"}
    assert not [path for paths in shared.values() for path in paths if path.exists()]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("safety", [], "which arm is this? Set the parameter arm"),
        ("safety", ["-p", "arm:=nobody"], "no arm 'nobody'; valid: "),
        ("safety", ["-p", "servo_rate:=1.0"], "servo_rate"),
        (
            "safety",
            ["--params-file", "FILE"],
            "has no parameter 'servo_rat'; valid: arm, auto_arm",
        ),
        ("player", [], "cannot play ''"),
    ],
)
def test_a_node_that_cannot_start_says_why_in_one_line(graph, tmp_path, name, arguments, said) -> None:
    path = tmp_path / "parameters.yaml"
    path.write_text(yaml.safe_dump({name: {"ros__parameters": {"servo_rat": 80.0}}}))
    command = [sys.executable, "-m", f"loopwm_ros.nodes.{name}", "--ros-args", *arguments]
    command = [str(path) if part == "FILE" else part for part in command]
    done = subprocess.run(
        command, env={**os.environ, **graph}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    (line,) = [x for x in done.stderr.splitlines() if "cannot start" in x]
    assert said in line


def test_a_node_knows_when_the_process_that_started_it_is_gone(monkeypatch) -> None:
    monkeypatch.setenv(PARENT_VARIABLE, str(os.getppid()))
    assert not orphaned()
    monkeypatch.setenv(PARENT_VARIABLE, str(os.getpid()))
    assert orphaned()


def request(bundle, task: Path, **changes) -> RealtimeRequest:
    settings = load_task(str(task))
    run = RunRequest(
        arm=load_arm("panda"), task=settings, world=load_world(settings.world), controller="mpc",
        episodes=2, seed=5, bundle=bundle,
    )  # fmt: skip
    return RealtimeRequest(run, "panda", str(task), **changes)


@pytest.fixture
def short_task(tmp_path: Path) -> Path:
    settings = yaml.safe_load((share_dir() / "sim" / "tasks" / "reach.yaml").read_text())
    path = tmp_path / "short.yaml"
    path.write_text(yaml.safe_dump(settings | {"time_limit": 2.0}))
    return path


def leave_graph() -> None:
    """Join no other test's graph: nodes of equal name that have just gone there still seem to be ready."""
    os.environ.pop("ROS_DOMAIN_ID", None)


def alone(function: Callable[..., Result], *arguments: object) -> Result:
    """Call it in a process of its own, as `loopwm sim` runs."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=leave_graph) as pool:
        return pool.submit(function, *arguments).result(timeout=240)


def run_two_episodes(bundle: Path, task: Path, log: Path) -> None:
    runs: list[EpisodeRun] = []
    seen: list[Progress] = []
    measured = Measurements()
    run_realtime(request(load_bundle(bundle), task), log, measured, runs.append, seen.append)
    assert [(r.result.index, r.result.seed) for r in runs] == [(0, 5), (1, 6)]
    for run in runs:
        assert run.result.cycles > 5
        assert run.trace.frames
        assert len(run.trace.distance.stamps) > 5
        assert run.trace.imagined
        # A machine too busy for 20 Hz sheds all planning, and the safety node stops the arm, as it should.
        moved = np.ptp(run.trace.tool.values, axis=0)
        assert moved.max() > 0.02 or run.result.deadline_misses > 0, "the arm moves"
    assert len(measured.cycle_ms) == len(measured.delay_ms) > 5
    assert measured.loops.sum() > 0 or runs[0].result.deadline_misses > 0
    for run in runs:
        *_, last = (p for p in seen if p.episode == run.result.index)
        assert 0 < len(last.cycle_ms) <= run.result.plans, "the episode's own, while it runs"
        assert last.deadline_misses <= run.result.deadline_misses


def refusal_of_another_camera(bundle: Path, task: Path, log: Path) -> str:
    wrong = request(load_bundle(bundle), task, camera=(320, 240))
    with pytest.raises(ProcessError) as caught:
        run_realtime(wrong, log, Measurements(), lambda _: None, lambda _: None)
    return str(caught.value)


def test_the_supervisor_runs_episodes_over_ros(bundle, short_task, tmp_path) -> None:
    alone(run_two_episodes, bundle.root, short_task, tmp_path / "log")


def test_the_supervisor_passes_on_why_the_mpc_node_refuses(bundle, short_task, tmp_path) -> None:
    said = alone(refusal_of_another_camera, bundle.root, short_task, tmp_path / "log")
    assert "camera image is 320x240; the bundle was trained for 160x120" in said
