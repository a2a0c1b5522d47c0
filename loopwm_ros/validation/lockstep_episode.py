"""An episode in lockstep: every controller through the same loop, safety gate and score."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np

from loopwm_ros.backends.base import Backend
from loopwm_ros.backends.blank_camera import BlankCamera
from loopwm_ros.bullet.cell import Truth
from loopwm_ros.config.task import TOOL
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.joint_gap import JointGaps
from loopwm_ros.control.joint_history import JointHistory
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.control.mpc_controller import MpcController
from loopwm_ros.control.prediction_monitor import JOINTS
from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.control.safety_gate import GateOutput
from loopwm_ros.errors import SensorError
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import F32, F64, CameraFrame, JointState, JointTrajectory
from loopwm_ros.validation.controllers import Parts, make_controller
from loopwm_ros.validation.engines import make_cell
from loopwm_ros.validation.faults import Fault, FaultyBackend, FaultyController
from loopwm_ros.validation.measured_motion import MotionWatch, StopWatch
from loopwm_ros.validation.request import RunRequest
from loopwm_ros.validation.scoring import EpisodeScore, Outcome
from loopwm_ros.validation.stage import Stage
from loopwm_ros.validation.summary import EpisodeResult, Measurements
from loopwm_ros.validation.trace import EpisodeRun, Progress, TraceRecorder

PROGRESS_PERIOD = 0.5  # simulated [s] between two reports


class LockstepRunner:
    """One controller in one cell, episode after episode; sees as a recorder what is on the topics."""

    def __init__(self, request: RunRequest, on_progress: Callable[[Progress], None]) -> None:
        """`on_progress` gets the running episode every half simulated second.

        Raises:
            LoopWMError: parts of the request are not usable, or do not belong together.
        """
        self._request, self._on_progress = request, on_progress
        kinematics = Kinematics(request.arm)  # first: it names mistakes in the arm file
        self._points: dict[str, list[int]] = {}  # columns of the read-outs; only a model has these
        self._model_period = 2.0 / request.world.control_rate
        if request.bundle is not None:
            spec = request.bundle.manifest.spec
            names = (TOOL, *filter(spec.locates, request.task.objects))
            self._points = {name: spec.columns(name) for name in names}
            self._model_period = spec.model_period
        self._fault = None if request.fault is None else Fault(request.fault)
        self._ratio = round(request.world.servo_rate / request.world.control_rate)
        with ExitStack() as stack:
            self._cell = make_cell(request.engine, request.arm, request.task, request.world)
            stack.callback(self._cell.close)
            self._stage = Stage(self._cell, request.task, request.hidden)
            self._controller = make_controller(Parts(request, kinematics, self._cell, self._planned, stack))
            self._loop = self._wired(kinematics)
            self._stack = stack.pop_all()
        self._watch = MotionWatch(kinematics, request.arm.workspace, 1.0 / request.world.servo_rate)
        self._joints = JointHistory()
        self._joint_gaps = JointGaps(self._joints, self._model_period)
        self._trace = TraceRecorder(self._model_period)
        self._measured = Measurements()
        self._plans = 0
        self._stops: StopWatch | None = None

    def _wired(self, kinematics: Kinematics) -> Lockstep:
        """The loop, with what is to break built into it; input that is broken is refused, as in the nodes."""
        request, fault = self._request, self._fault
        backend: Backend = BlankCamera(self._stage) if request.blank_camera else self._stage
        gate = build_gate(kinematics, request.arm, 1.0 / request.world.servo_rate)
        if fault is None:
            return Lockstep(backend, gate, self._controller, self._ratio, self)
        faulty = FaultyBackend(backend, fault)
        controller = FaultyController(self._controller, fault)
        return Lockstep(faulty, gate, controller, self._ratio, self, lambda _: None)

    def close(self) -> None:
        """Free the simulator."""
        self._stack.close()

    def episode(self, index: int, measured: Measurements) -> EpisodeRun:
        """Run one episode to its outcome."""
        self._trace, self._measured, self._plans = TraceRecorder(self._model_period), measured, 0
        self._stage.expect(self._request.disturbance(index))
        self._joints.clear()
        self._joint_gaps.clear()
        self._loop.reset(self._request.seed + index)
        self._watch.clear()
        period = 1.0 / self._request.world.servo_rate
        self._stops = None if self._fault is None else StopWatch(self._fault, self._cell.now, period)
        steps, why = 0, None
        try:
            self._set_goal()
        except SensorError as error:
            why = str(error)
            outcome = self._given_up()
        else:
            outcome, steps = self._run(index)
        result = self._result(index, outcome, steps, why)
        fault = None if self._stops is None else self._stops.score
        return EpisodeRun(result, self._trace.finish(result), self._watch.extremes, fault)

    def _run(self, index: int) -> tuple[Outcome, int]:
        """The episode's outcome, and how many servo periods it took."""
        score = EpisodeScore(self._request.task, self._cell.now, self._settled)
        period = 1.0 / self._request.world.servo_rate
        outcome, steps = None, 0
        while outcome is None:
            output = self._loop.step()
            steps += 1
            for reason in output.reasons:
                self._trace.held_back(reason, period)
            self._measured.add_gate(output.reasons)
            truth = self._cell.truth()
            self._note(truth)
            self._judge(truth, output)
            outcome = score.update(self._cell.now, truth.distance)
            if steps % round(PROGRESS_PERIOD / period) == 0:
                self._on_progress(self._trace.progress(index, truth.distance))
        return outcome, steps

    @property
    def _settled(self) -> float:
        """After this time of an episode [s] neither disturbance nor fault lies ahead; 0 without one."""
        over = 0.0 if self._fault is None else self._fault.ends - self._cell.now
        return max(self._stage.settled, over)

    def _judge(self, truth: Truth, output: GateOutput) -> None:
        """What the arm truly did in a servo period."""
        for step, radians in self._joint_gaps.due():
            if step > 0:
                self._measured.add_gap(JOINTS, step, radians)
        contact = self._cell.contact()
        self._measured.add_contact(contact.things, contact.table)
        self._watch.update(self._cell.joint_state(), truth)
        if self._stops is not None:
            self._stops.update(self._cell.now, output.position)

    def _note(self, truth: Truth) -> None:
        now = self._cell.now
        self._trace.tool(now, truth.tool)
        self._trace.distance(now, truth.distance)
        for name, point in truth.points.items():
            self._trace.point(name, now, point)

    def _set_goal(self) -> None:
        """Tell the controller the goal, where the user would."""
        if not isinstance(self._controller, MpcController):
            return
        self._controller.give_goal(None)
        if self._request.goal == "position":
            self._controller.give_goal(self._cell.truth().points[self._request.task.goal])
        elif self._request.goal == "image":
            self._controller.show_goal(self._cell.goal_observation())

    def _given_up(self) -> Outcome:
        """The outcome of an episode that could not begin, its first frame kept."""
        truth = self._cell.truth()
        self._note(truth)
        while (frame := self._stage.new_frame()) is None:
            self._stage.step(None)
        self.frame(frame)
        return Outcome(False, 0.0, truth.distance, truth.distance)

    def _result(self, index: int, outcome: Outcome, steps: int, why: str | None) -> EpisodeResult:
        disturbance = self._stage.disturbance
        return EpisodeResult(
            index=index,
            seed=self._request.seed + index,
            success=outcome.success,
            time_to_success_s=outcome.time if outcome.success else None,
            final_distance_m=outcome.final_distance,
            min_distance_m=outcome.min_distance,
            cycles=math.ceil(steps / self._ratio),
            plans=self._plans,
            precise_time_s=outcome.precise_time,
            disturbance=disturbance and disturbance.name,
            disturbed_at_s=disturbance and disturbance.at,
            why=why,
        )

    def joint_state(self, joints: JointState) -> None:
        """Recorder: against the references sent and planned before."""
        if self._fault is None:
            self._joints.add(joints)

    def plan(self, plan: JointTrajectory) -> None:
        """Recorder: to be held against what comes."""
        self._joint_gaps.add_plan(plan)

    def frame(self, frame: CameraFrame) -> None:
        """Recorder: keep what the camera saw."""
        self._trace.frame(frame.stamp, encode_image(frame.rgb))

    def command(self, stamp: float, position: F64) -> None:
        """Recorder: to be held against what comes."""
        self._joint_gaps.add_command(stamp, position)

    def _planned(self, report: PlanReport) -> None:
        self._plans += 1
        for gap in report.gaps:
            self._measured.add_gap(gap.name, gap.step, gap.metres)
        self._measured.add_cycle(report.duration * 1e3)
        plan = report.plan
        effect = report.slot + self._model_period
        loops = float("nan")
        if plan is not None:
            self._measured.add_plan(plan, report.delay * 1e3)
            loops = float(plan.loops @ np.arange(len(plan.loops))) / max(1, int(plan.loops.sum()))
            self._imagined(effect, plan.imagined, report.goal)
        if report.encoding is not None:
            for name, columns in self._points.items():
                self._trace.reading(name, effect - report.delay, report.encoding.reading[columns])
        self._trace.cycle(report.slot, report.duration * 1e3, loops)

    def _imagined(self, effect: float, read_outs: F32, goal: F64 | None) -> None:
        """Keep what a plan imagined; read-outs are (steps, quantities)."""
        if not self._points:
            return
        moved = self._request.task.moved
        thing = None if moved == TOOL else read_outs[:, self._points[moved]]
        path, offsets = read_outs[:, self._points[TOOL]], self._offsets(len(read_outs))
        self._trace.imagined(effect, path, goal, offsets, thing)

    def _offsets(self, read_outs: int) -> F64:
        """Times of the read-outs after the plan's start [s]."""
        settings, bundle = self._request.settings, self._request.bundle
        assert bundle is not None, "without a model nothing is imagined"
        steps = settings.model.readout_steps(settings.planner.horizon, bundle.manifest.spec)
        return self._model_period * np.asarray(steps[:read_outs], dtype=float)
