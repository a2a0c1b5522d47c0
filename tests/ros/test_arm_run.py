"""What arm.launch.py starts, on the stand-in: shadow, armed by a validation, a planner that is killed."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool

from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.config import load_arm, load_task, load_world, share_dir
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.messages import joint_state_from
from loopwm_ros.nodes.diagnostics import MONITOR, SAFETY, values_of
from loopwm_ros.nodes.monitor_topics import PATIENCE
from loopwm_ros.nodes.processes import Child
from loopwm_ros.nodes.qos import COMMAND, REPORT, SENSOR
from loopwm_ros.nodes.safety_parameters import SafetyParameters
from loopwm_ros.nodes.service_calls import ACTIVATE, CONFIGURE
from loopwm_ros.nodes.supervisor import RealtimeRequest, run_realtime
from loopwm_ros.standin.settings import StandinSettings
from loopwm_ros.validation.certificate import GapLimit, write_certificate
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import EpisodeRun
from tests.certificates import certificate
from tests.ros.conftest import Bench
from tests.ros.test_processes import alone
from tests.ros.test_safety import Arm

ARM = load_arm("panda")
SCENE = {"arm": ARM.name, "seed": 3}
STEPS = range(1, 11)  # transitions ahead with a limit of the gap
STILL = 2e-3  # of joints at rest, with their noise [rad]
AT_REST = 40  # joint states that are still


@pytest.fixture
def long_task(tmp_path: Path) -> str:
    settings = yaml.safe_load((share_dir() / "sim" / "tasks" / "reach.yaml").read_text())
    path = tmp_path / "long.yaml"
    path.write_text(yaml.safe_dump(settings | {"time_limit": 60.0}))
    return str(path)


@pytest.fixture
def validation(bundle: Bundle, tmp_path: Path) -> Path:
    """Of this very bundle and arm, and passed; made here, for a real one takes hours."""
    limits = {"samples": 400, "p50": 0.01, "p99": 0.05, "limit": 0.1}
    gaps = tuple(GapLimit(name="tool", unit="m", step=i, offset_s=0.1 * i, **limits) for i in STEPS)
    made = certificate(ARM, bundle_sha256=bundle.sha256, gaps=gaps)
    return write_certificate(tmp_path / "made" / "validation.json", made)


class Cell:
    """The four nodes, and what can be seen of them from outside."""

    def __init__(self, bench: Bench, bundle: Bundle, task: str, validation: Path, permit: Path) -> None:
        """The monitor has `validation` at once, safety looks for it at `permit` when it is asked to arm."""
        self.bench, self._score = bench, bench.folder / "score.jsonl"
        self._mpc: dict[str, Any] = SCENE | {"task": task, "bundle": str(bundle.root)}
        self.joints = bench.listen(JointStateMessage, ARM.topics.joint_states, SENSOR)
        self.commands = bench.listen(Float64MultiArray, ARM.topics.command, COMMAND)
        self.reports = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
        bench.start("standin", **SCENE, task=task, score_path=str(self._score))
        gate = {"shadow": True, "need_validation": True, "monitor_timeout": PATIENCE}
        bench.start("safety", arm=ARM.name, validation=str(permit), **gate)
        bench.start("monitor", arm=ARM.name, validation=str(validation))
        self.plan()

    def plan(self) -> None:
        """Start mpc, and bring it to plan."""
        self.mpc: Child = self.bench.start("mpc", **self._mpc)
        for number in (CONFIGURE, ACTIVATE):
            self.bench.transition("mpc", number)

    def said(self, name: str) -> dict[str, str]:
        """Newest diagnostics of a node."""
        found = [values for m in self.reports if (values := values_of(m, name)) is not None]
        return found[-1] if found else {}

    def position(self) -> np.ndarray:
        return joint_state_from(self.joints[-1], ARM.joints).position

    def scores(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._score.read_text().splitlines()]

    def distances(self) -> list[float]:
        """From the tool to the ball, by the stand-in's truth [m]."""
        return [line["distance"] for line in self.scores() if "distance" in line]

    def still(self) -> bool:
        last = [joint_state_from(m, ARM.joints).position for m in self.joints[-AT_REST:]]
        return len(last) == AT_REST and np.ptp(last, axis=0).max() < STILL

    def arm(self) -> str:
        """Arm; the reason where it is refused."""
        answer = self.bench.call(SetBool, "/safety/arm", data=True)
        return "" if answer.success else answer.message


def promised_stop() -> float:
    """What safety promises from the loss of plans to rest [s], and the stand-in's lag behind it."""
    settings = SafetyParameters(arm=ARM.name)
    period = 1.0 / settings.servo_rate
    stop = build_gate(Kinematics(ARM), ARM, period, settings).longest_stop(period)
    own = StandinSettings()
    return stop + own.command_delay + own.command_jitter + own.servo_smoothing + 1.0 / own.servo_frequency


def test_from_shadow_to_a_reach_over_a_killed_planner(bench, bundle, long_task, validation, tmp_path) -> None:
    permit = tmp_path / "validation.json"
    cell = Cell(bench, bundle, long_task, validation, permit)
    bench.until(lambda: cell.said(MONITOR).get("tool.10.within") == "true")
    assert cell.said(SAFETY)["state"] == "shadow"
    assert f"no validation at {permit}" in cell.arm()
    start = cell.position()
    assert not cell.commands, "in shadow nothing is sent"

    shutil.copy(validation, permit)
    bench.until(lambda: not cell.arm())
    bench.until(lambda: np.abs(cell.position() - start).max() > 0.05)
    bench.until(lambda: cell.distances()[-1] < 0.9 * cell.distances()[0])
    cell.mpc.process.send_signal(signal.SIGKILL)
    cell.mpc.process.wait()
    sent, before = len(cell.commands), cell.position()
    bench.until(lambda: "plan is stale" in cell.said(SAFETY).get("reasons", ""))
    bench.until(cell.still)
    check_stop(cell, before, cell.commands[sent:])

    cell.plan()
    bench.until(lambda: cell.distances()[-1] < 0.5 * cell.distances()[0])
    assert cell.said(SAFETY)["state"] == "armed", "without a restart of safety, or arming again"


def check_stop(cell: Cell, before: np.ndarray, commands: list[Float64MultiArray]) -> None:
    """At rest as promised: in servo periods, however slow the machine, and within the way left by then."""
    stop, limit = promised_stop(), Kinematics(ARM).velocity_limit
    references = np.array([message.data for message in commands])
    moving = np.abs(np.diff(references, axis=0)).max(axis=1) > 1e-9
    assert moving.sum() <= stop * SafetyParameters().servo_rate
    assert not moving[-1]
    assert (np.abs(cell.position() - before) <= limit * stop + STILL).all()
    np.testing.assert_allclose(cell.position(), references[-1], atol=0.02)


def run_gated_episode(bundle: Path, task: str, validation: Path, log: Path) -> None:
    settings = load_task(task)
    run = RunRequest(
        arm=ARM, task=settings, world=load_world(settings.world), controller="mpc", episodes=2, seed=3,
        bundle=load_bundle(bundle), engine="mujoco", validation=validation,
    )  # fmt: skip
    runs: list[EpisodeRun] = []
    run_realtime(RealtimeRequest(run, ARM.name, task), log, Measurements(), runs.append, lambda _: None)
    assert [episode.result.index for episode in runs] == [0, 1]
    for episode in runs:
        assert np.ptp(episode.trace.tool.values, axis=0).max() > 0.02, "the arm moves"
    assert (log / "safety.log").read_text().count("armed") == 2


def test_a_run_on_the_stand_in_is_armed_by_its_validation(bundle, validation, tmp_path) -> None:
    settings = yaml.safe_load((share_dir() / "sim" / "tasks" / "reach.yaml").read_text())
    task = tmp_path / "short.yaml"
    task.write_text(yaml.safe_dump(settings | {"time_limit": 3.0}))
    alone(run_gated_episode, bundle.root, str(task), validation, tmp_path / "log")


def test_asked_to_end_in_motion_safety_brakes_first(bench) -> None:
    safety = bench.start("safety", arm=ARM.name)
    arm = Arm(bench)
    arm.speed = 0.4
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: arm.commands and arm.position[0] > 0.1)
    sent = len(arm.commands)
    safety.process.send_signal(signal.SIGINT)
    bench.until(lambda: safety.ended)
    assert safety.process.returncode == 0
    last = np.array([message.data[0] for message in arm.commands[sent - 1 :]])
    steps = np.diff(last)
    assert len(steps) > 2, "it went on"
    assert steps[-1] < 0.25 * steps[0], "ever slower"
