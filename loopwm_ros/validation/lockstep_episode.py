"""Episodes in lockstep: every controller through the same loop, safety gate and score."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from loopwm_ros.backends.base import Backend
from loopwm_ros.backends.blank_camera import BlankCamera
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.scripted import scripted_controller
from loopwm_ros.bundle import Bundle
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.control.assembly import ControllerName, MpcSettings, build_gate, build_motion, build_mpc
from loopwm_ros.control.baselines import RandomController, ToolVelocityController
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.mpc_controller import MpcController
from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import F64, CameraFrame, JointState
from loopwm_ros.validation.scoring import EpisodeScore
from loopwm_ros.validation.summary import EpisodeResult, Measurements
from loopwm_ros.validation.trace import Progress, Trace, TraceRecorder

PROGRESS_PERIOD = 0.5  # simulated [s] between two reports


@dataclass(frozen=True)
class RunRequest:
    """What to run."""

    arm: ArmConfig
    task: TaskConfig
    world: WorldConfig
    controller: ControllerName
    episodes: int
    seed: int
    bundle: Bundle | None = None
    settings: MpcSettings = field(default_factory=MpcSettings)
    blank_camera: bool = False


@dataclass(frozen=True)
class EpisodeRun:
    """One finished episode."""

    result: EpisodeResult
    trace: Trace


def run_lockstep(
    request: RunRequest,
    measured: Measurements,
    on_episode: Callable[[EpisodeRun], None],
    on_progress: Callable[[Progress], None],
) -> None:
    """Run all episodes; episode `i` has the seed `request.seed + i`.

    `on_episode` gets each when it is over, `on_progress` the running one every half simulated second.

    Raises:
        LoopWMError: parts of the request are not usable, or do not belong together.
    """
    kinematics = Kinematics(request.arm)  # first: it names mistakes in the arm file
    cell = BulletCell(request.arm, request.task, request.world)
    try:
        runner = _Runner(request, kinematics, cell, measured, on_progress)
        for index in range(request.episodes):
            on_episode(runner.episode(index))
    finally:
        cell.close()


class _Runner:
    """One controller in one cell, episode after episode; sees as a recorder what is on the topics."""

    def __init__(
        self,
        request: RunRequest,
        kinematics: Kinematics,
        cell: BulletCell,
        measured: Measurements,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._request, self._kinematics = request, kinematics
        self._cell, self._measured, self._on_progress = cell, measured, on_progress
        self._tool: list[int] = []  # columns of the read-outs; only a model has these
        self._model_period = 2.0 / request.world.control_rate
        if request.bundle is not None:
            self._tool = request.bundle.manifest.spec.columns("tool")
            self._model_period = request.bundle.manifest.spec.model_period
        backend: Backend = BlankCamera(cell) if request.blank_camera else cell
        gate = build_gate(self._kinematics, request.arm, 1.0 / request.world.servo_rate)
        self._ratio = round(request.world.servo_rate / request.world.control_rate)
        self._loop = Lockstep(backend, gate, self._controller(), self._ratio, self)
        self._trace: TraceRecorder
        self._plans = 0

    def episode(self, index: int) -> EpisodeRun:
        """Run one episode to its outcome."""
        seed = self._request.seed + index
        self._trace, self._plans = TraceRecorder(self._model_period), 0
        self._loop.reset(seed)
        score = EpisodeScore(self._request.task, self._cell.now)
        outcome, steps = None, 0
        while outcome is None:
            self._loop.step()
            steps += 1
            truth = self._cell.truth()
            self._trace.tool(self._cell.now, truth.tool)
            self._trace.distance(self._cell.now, truth.distance)
            outcome = score.update(self._cell.now, truth.distance)
            if steps % round(PROGRESS_PERIOD * self._request.world.servo_rate) == 0:
                self._on_progress(self._trace.progress(index, truth.distance))
        result = EpisodeResult(
            index=index,
            seed=seed,
            success=outcome.success,
            time_to_success_s=outcome.time if outcome.success else None,
            final_distance_m=outcome.final_distance,
            min_distance_m=outcome.min_distance,
            cycles=math.ceil(steps / self._ratio),
            plans=self._plans,
        )
        return EpisodeRun(result, self._trace.finish(result))

    def joint_state(self, joints: JointState) -> None:
        """Recorder: nothing to keep."""

    def frame(self, frame: CameraFrame) -> None:
        """Recorder: keep what the camera saw."""
        self._trace.frame(frame.stamp, encode_image(frame.rgb))

    def command(self, stamp: float, position: F64) -> None:
        """Recorder: nothing to keep."""

    def _planned(self, report: PlanReport) -> None:
        self._plans += 1
        self._measured.add_cycle(report.duration * 1e3)
        plan = report.plan
        loops = float("nan")
        if plan is not None:
            self._measured.add_plan(plan, report.delay * 1e3)
            loops = float(plan.loops @ np.arange(len(plan.loops))) / max(1, int(plan.loops.sum()))
            effect = report.slot + self._model_period
            path = plan.imagined[:, self._tool]
            self._trace.imagined(effect, path, report.goal, self._offsets(len(path)))
        self._trace.cycle(report.slot, report.duration * 1e3, loops)

    def _offsets(self, read_outs: int) -> F64:
        """Times of the read-outs after the plan's start [s]."""
        settings = self._request.settings
        steps = settings.model.readout_steps(settings.planner.horizon)
        return self._model_period * np.asarray(steps[:read_outs], dtype=float)

    def _controller(self) -> Controller:
        request, kinematics = self._request, self._kinematics
        period = 1.0 / request.world.control_rate
        motion = build_motion(kinematics, request.arm, request.task, period)
        speed = request.task.max_tool_speed
        if request.controller == "zero":
            return ToolVelocityController(kinematics, motion)
        if request.controller == "random":
            return RandomController(kinematics, motion, speed)
        if request.controller == "scripted":
            return scripted_controller(kinematics, motion, request.task, self._cell)
        if request.bundle is None:
            raise ConfigError("controller 'mpc' needs a bundle; give --bundle DIRECTORY")
        camera = request.arm.camera.width, request.arm.camera.height
        mpc = build_mpc(
            request.bundle, request.arm, request.task, kinematics, period, request.settings, camera
        )
        return MpcController(mpc.horizon, mpc.synchroniser, self._model_period, self._planned)
