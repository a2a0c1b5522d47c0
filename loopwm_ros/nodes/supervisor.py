"""Runs episodes in real time: starts the nodes as processes, drives them, and ends them whatever happens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from std_srvs.srv import SetBool, Trigger

from loopwm_ros.config.world import Engine
from loopwm_ros.control.safety_gate import GateState
from loopwm_ros.nodes import environment, processes, scheduling
from loopwm_ros.nodes.episode_report import EpisodeReport
from loopwm_ros.nodes.json_lines import JsonLines
from loopwm_ros.nodes.monitor_topics import PATIENCE
from loopwm_ros.nodes.processes import Child, ProcessError, Watching
from loopwm_ros.nodes.ros_client import RosClient
from loopwm_ros.nodes.service_calls import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, ServiceCalls
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import EpisodeRun, Progress

SCORES, TRACES = "score.jsonl", "trace.jsonl"
START_TIMEOUT = 60.0  # [s] for a process to start and configure
CALL_TIMEOUT = 10.0  # [s] for a service call
ACTIVATION_TIMEOUT = 5.0  # [s] for sensors to become usable
GRACE = 30.0  # ... and this much more [s], before the simulation counts as stuck
SLOWNESS = 3.0  # times the task's limit that an episode may take on the wall clock ...
DISARMED = GateState.DISARMED.value
CELL_NODES: dict[Engine, str] = {"bullet": "sim", "mujoco": "standin"}  # which plays the arm
COMPARED_TIMEOUT = 20.0  # [s] in shadow until the monitor has held a prediction against the limits
FRESH_FRAMES = 2  # images of the new scene before planning begins: the mpc node then has one, too


@dataclass(frozen=True)
class RealtimeRequest:
    """What to run, and what the nodes need to load the same."""

    run: RunRequest
    arm: str  # by name or path
    task: str  # by name or path
    camera: tuple[int, int] = (0, 0)  # width, height [px] of the simulated camera; 0: as the world says
    priority: int = 0  # of SCHED_FIFO for mpc, one more for safety, one less for what plays the arm; 0: none
    domain: str = field(default_factory=environment.domain_id)  # ROS domain of the nodes


def run_realtime(
    request: RealtimeRequest,
    folder: Path,
    measured: Measurements,
    on_episode: Callable[[EpisodeRun], None],
    on_progress: Callable[[Progress], None],
    seconds: float = math.inf,
    watching: Watching = nullcontext,
) -> None:
    """Run all episodes over ROS 2; episode `i` has the seed `request.seed + i`. Logs go to `folder`.

    No episode begins when the nodes have been ready for `seconds`. `watching` is entered then, and left
    before they end.

    Raises:
        ProcessError: a node ended, refused, or took too long; the message holds its own error.
    """
    graph = environment.private_graph(folder, request.domain)
    with environment.applied(graph), ExitStack() as stack:
        children: list[Child] = []
        stack.callback(processes.stop, children)
        for name, values in node_parameters(request, folder).items():
            children.append(processes.start(name, values, graph, folder))
        ros = RosClient("supervisor", lambda: processes.check_alive(children))
        stack.callback(ros.close)
        run = _Run(request, ros, children[-1], folder, measured, on_progress)
        run.configure()
        stack.enter_context(watching({child.name: child.process.pid for child in children}))
        end = time.monotonic() + seconds
        for index in range(request.run.episodes):
            if time.monotonic() > end:
                return
            on_episode(run.episode(index))


def node_parameters(request: RealtimeRequest, folder: Path) -> dict[str, dict[str, object]]:
    """Parameters of each node; the last one is the mpc node."""
    run = request.run
    assert run.bundle is not None
    shared: dict[str, object] = {"arm": request.arm, "task": request.task, "seed": run.seed}
    timing: dict[str, object] = {
        "use_sim_time": run.engine == "bullet"
    }  # the stand-in has no clock, like an arm
    cell = shared | {
        "goal_source": run.goal,
        "world": "nominal" if run.nominal else "randomised",
        "disturbance": run.disturb,
        "blank_camera": run.blank_camera,
        "camera_width": request.camera[0],
        "camera_height": request.camera[1],
        "score_path": str(folder / SCORES),
        "realtime_priority": scheduling.of_the_cell(request.priority),
    }
    safety = timing | {
        "arm": request.arm,
        "servo_rate": run.world.servo_rate,
        "realtime_priority": request.priority and request.priority + 1,
    }
    nodes: dict[str, dict[str, object]] = {CELL_NODES[run.engine]: cell, "safety": safety}
    if run.validation is not None:
        permit: dict[str, object] = {"validation": str(run.validation.resolve())}
        safety |= permit | {"shadow": True, "need_validation": True, "monitor_timeout": PATIENCE}
        nodes["monitor"] = timing | permit | {"arm": request.arm}
    mpc = (
        shared
        | timing
        | {
            "bundle": str(run.bundle.root.resolve()),
            "control_period": 1.0 / run.world.control_rate,
            "realtime_priority": request.priority,
            "loops": run.settings.model.loops,
            "precision": run.settings.model.precision,
            "goal_source": run.goal,
            "check_camera": not run.blank_camera,
            "planner": run.settings.planner.kind,
            "horizon": run.settings.planner.horizon,
            "candidates": run.settings.planner.candidates,
            "refinements": run.settings.planner.refinements,
            "proposal": run.settings.planner.proposal,
            "trace_path": str(folder / TRACES),
        }
    )
    return nodes | {"mpc": mpc}


class _Run:
    def __init__(
        self,
        request: RealtimeRequest,
        ros: RosClient,
        mpc: Child,
        folder: Path,
        measured: Measurements,
        on_progress: Callable[[Progress], None],
    ) -> None:
        assert request.run.bundle is not None
        self._model_period = request.run.bundle.manifest.spec.model_period
        self._patience = SLOWNESS * request.run.task.time_limit + GRACE
        self._given = request.run.goal != "seen"
        self._gated = request.run.validation is not None
        self._reset = f"/{CELL_NODES[request.run.engine]}/reset"
        self._ros, self._services, self._mpc = ros, ros.services, mpc
        self._measured, self._on_progress = measured, on_progress
        self._scores, self._traces = JsonLines(folder / SCORES), JsonLines(folder / TRACES)

    def configure(self) -> None:
        configure(self._services, self._mpc)

    def episode(self, index: int) -> EpisodeRun:
        if index > 0:
            self._services.call_once(Trigger, self._reset, CALL_TIMEOUT)
            self._forget_goal()
        self._activate()
        if self._gated:
            self._look_on()
        self._ros.persist(lambda: arm(self._services), CALL_TIMEOUT)
        self._ros.take_reasons()
        report = EpisodeReport(self._model_period, self._measured)
        self._ros.wait(lambda: self._over(index, report), self._patience, f"episode {index}")
        report.held_back(self._ros.take_reasons())
        self._services.transition("mpc", DEACTIVATE, CALL_TIMEOUT)
        self._ros.persist(self._disarm, CALL_TIMEOUT)
        if self._gated:
            self._services.call(Trigger, "/safety/shadow", CALL_TIMEOUT)
        for line in self._traces.new():
            report.mpc(line)
        return report.finish(self._ros.take_frames())

    def _forget_goal(self) -> None:
        """A goal that was given holds until the mpc node is cleaned up; each episode has its own."""
        if self._given:
            self._services.transition("mpc", CLEANUP, CALL_TIMEOUT)
            self.configure()

    def _look_on(self) -> None:
        """In shadow, until the monitor has compared something in this scene."""
        self._ros.watched = {}
        self._ros.wait(
            lambda: any(self._ros.watched.get(key) for key in self._ros.watched if key.endswith(".within")),
            COMPARED_TIMEOUT,
            "the monitor's first comparison of a prediction with its limit",
        )

    def _disarm(self) -> str:
        """Disarm, which works when the arm is at rest: the next episode starts elsewhere."""
        state = self._services.call(Trigger, "/safety/reset", CALL_TIMEOUT).message
        return "" if state == DISARMED else f"safety node is still '{state}' after {CALL_TIMEOUT:g} s"

    def _activate(self) -> None:
        """Wait for images of the present scene, then activate; sensors may need a moment."""
        self._ros.take_frames()
        self._ros.wait(lambda: len(self._ros.frames) >= FRESH_FRAMES, START_TIMEOUT, "the first camera image")
        self._ros.persist(lambda: activate(self._services, self._mpc), ACTIVATION_TIMEOUT)

    def _over(self, index: int, report: EpisodeReport) -> bool:
        for line in self._scores.new():
            if line["episode"] == index:
                report.score(line, time.perf_counter())
        for line in self._traces.new():
            report.mpc(line)
        self._on_progress(report.progress(index))
        return report.outcome is not None


def configure(services: ServiceCalls, mpc: Child) -> None:
    """Configure mpc, which is not asked twice: what it refuses it will refuse again.

    Raises:
        ProcessError: it refuses.
    """
    if not services.transition("mpc", CONFIGURE, START_TIMEOUT):
        raise ProcessError(mpc.error_text())


def activate(services: ServiceCalls, mpc: Child) -> str:
    """Activate mpc; returns why not, or nothing. Sensors may need a moment."""
    return "" if services.transition("mpc", ACTIVATE, CALL_TIMEOUT) else mpc.error_text()


def arm(services: ServiceCalls) -> str:
    """Arm; returns why not, or nothing. On a busy machine the joint states may just have a gap."""
    answer = services.call(SetBool, "/safety/arm", CALL_TIMEOUT, data=True)
    return "" if answer.success else f"safety node refuses: {answer.message}"
