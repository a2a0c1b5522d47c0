"""The mpc node without ROS: a bundle's controller with inbox, schedule, planning thread and record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loopwm_ros.bundle import load_bundle
from loopwm_ros.config import load_arm, load_task, usual_arm
from loopwm_ros.config.task import TOOL
from loopwm_ros.control.assembly import build_mpc
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.picture_check import PictureCheck
from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.control.trajectory import sample, with_stop_tail
from loopwm_ros.data import topics
from loopwm_ros.errors import ConfigError, LoopWMError, SensorError
from loopwm_ros.nodes.cycle_record import CycleRecord
from loopwm_ros.nodes.goal_desk import GoalDesk
from loopwm_ros.nodes.mpc_camera import ActualCamera
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.nodes.planning_thread import PlanningThread, Slot
from loopwm_ros.nodes.schedule import Schedule, Tick
from loopwm_ros.nodes.sensor_inbox import SensorInbox
from loopwm_ros.types import JointState, JointTrajectory, Observation

WARM_UP_PLANS = 3


@dataclass(frozen=True)
class Cycle:
    """What to publish in one control period."""

    tick: Tick
    trajectory: JointTrajectory
    held: bool  # no plan was due in time: this is the last one


class MpcEngine:
    """A configured controller. `start` and `stop` frame an activation, `tick` and `published` a period."""

    def __init__(
        self,
        parameters: MpcParameters,
        on_plan: Callable[[PlanReport], None],
        on_refused: Callable[[str], None],
    ) -> None:
        """Load, verify, allocate and warm up.

        `on_plan`, and `on_refused` with why a picture is, are called from the planning thread, too.

        Raises:
            LoopWMError: bundle, arm, task, control period or a setting is not usable.
        """
        if not parameters.bundle:
            raise ConfigError("parameter 'bundle' is empty; give the folder of a model bundle")
        task = load_task(parameters.task)
        settings = parameters.controller(task)
        self.arm = load_arm(parameters.arm or usual_arm(task.name))
        self.image_topic = topics.TRANSPORTS[parameters.image_transport]
        self._period = parameters.control_period
        self._share = parameters.plan_share
        self._kinematics = Kinematics(self.arm)
        bundle = load_bundle(Path(parameters.bundle))
        self.camera = ActualCamera(parameters, bundle.manifest, self.arm, task)
        self._mpc = build_mpc(
            bundle,
            self.arm,
            task,
            self._kinematics,
            self._period,
            settings,
            view=self.camera.view,
        )
        self._spec = self._mpc.bundle.manifest.spec
        self.model_period = self._spec.model_period
        steps = settings.model.readout_steps(settings.planner.horizon, self._spec)
        self.moving = {name: self._spec.columns(name) for name in dict.fromkeys((TOOL, task.moved))}
        named = (TOOL, *filter(self._spec.locates, task.objects))
        self.record = CycleRecord(
            {name: self._spec.columns(name) for name in named},
            task.moved,
            [step * self.model_period for step in steps],
            Path(parameters.trace_path) if parameters.trace_path else None,
        )
        self.inbox = SensorInbox(
            self._mpc.synchroniser,
            parameters.sensor_timeout,
            self.arm.topics.joint_states,
            self.image_topic,
            PictureCheck() if parameters.check_camera else None,
            on_refused,
        )
        self._on_plan = on_plan
        self._schedule: Schedule | None = None
        self._thread: PlanningThread | None = None
        self._warm_up()
        self.goals = GoalDesk(parameters, task, self._mpc)

    @property
    def bundle_sha256(self) -> str:
        """Hash of the bundle that it plans with."""
        return self._mpc.bundle.sha256

    @property
    def note(self) -> str:
        """What the model found where precision or device was left to this machine; empty: it was not."""
        return self._mpc.model.note

    def _warm_up(self) -> None:
        """Plan a few times on black images, so that the first real cycle finds all in place.

        There is nothing to be seen in them: without a goal nothing would be searched.
        """
        (width, height), home = self._mpc.camera_size, self._kinematics.home
        black = np.zeros((height, width, 3), dtype=np.uint8)
        self._mpc.horizon.start(0.0, home)
        self._mpc.horizon.give_goal(np.mean([self.arm.workspace.low, self.arm.workspace.high], axis=0))
        for i in range(WARM_UP_PLANS):
            stamp = i * self.model_period
            joints = JointState(stamp, home, np.zeros_like(home))
            self._mpc.horizon.plan(Observation(stamp, black, joints), stamp, None)
        self._mpc.horizon.give_goal(None)

    def start(self, now: Callable[[], tuple[float, float]], seed: int) -> None:
        """Begin; `now` reads the steady clock and ROS time [s]. The first period begins one period later.

        Raises:
            SensorError: joints or images are missing, stale or not valid, or the tool is far from the plane
                that the task keeps it in.
        """
        joints = self.inbox.check(*now())
        self._mpc.motion.check_start(joints.position)
        self.inbox.take()
        steady, ros = now()  # again: a picture may have been decoded
        self._mpc.horizon.start(ros + self._period, joints.position, seed)
        self._mpc.horizon.add_joints(joints)
        self.goals.inbox.planned(None)
        self.goals.planning = True
        periods = self._spec.commands_per_action(self._period)
        self._schedule = Schedule(self._period, periods, steady + self._period, ros + self._period)
        self._thread = PlanningThread(
            self._mpc.horizon,
            self.inbox,
            self.goals.inbox,
            self.model_period,
            self._share,
            self._planned,
        )

    def tick(self, steady: float, ros: float) -> Cycle | None:
        """What is due at (`steady`, `ros`) [s]; None if this period has been answered."""
        assert self._schedule is not None, "start() comes first"
        tick = self._schedule.tick(steady, ros)
        if tick is None:
            return None
        due = self._mpc.horizon.command(tick.stamp)
        return Cycle(tick, due.trajectory, held=not due.fresh)

    def published(self, cycle: Cycle, steady: float, ros: float) -> None:
        """The cycle's trajectory went out at (`steady`, `ros`) [s]; plan where a slot has begun.

        Raises:
            SensorError: input has become stale, or planning failed and is tried again in each slot; until
                then nothing new is planned and the arm comes to rest.
        """
        tick = cycle.tick
        late = steady - tick.due > self._period
        self.record.cycle(tick.stamp, late, cycle.held, tick.skipped)
        assert self._thread is not None
        self.inbox.check(steady, ros)
        if tick.slot is not None:
            self._thread.open(Slot(tick.slot, tick.slot_due))
        if (failure := self._thread.failure) is not None:
            why = str(failure) if isinstance(failure, LoopWMError) else repr(failure)
            raise SensorError(f"planning failed: {why}")

    def stop(self, ros: float) -> JointTrajectory:
        """End the activation: a smooth stop from the reference at `ros` [s]."""
        self._join()
        position, velocity = sample(self._mpc.horizon.command(ros).trajectory, ros)
        return with_stop_tail(
            ros,
            np.zeros(1),
            position[None],
            velocity[None],
            self._kinematics.acceleration_limit,
            self._period,
        )

    def close(self) -> None:
        """Free what is not memory."""
        self._join()
        self.record.close()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.stop()
            self.goals.planning = False
            self.goals.inbox.take(self._mpc.horizon)
        self._thread = self._schedule = None

    def _planned(self, report: PlanReport, milliseconds: float, late: bool) -> None:
        self.record.plan(report, milliseconds, late)
        self.goals.inbox.planned(report.goal, report.beside)
        self._on_plan(report)
