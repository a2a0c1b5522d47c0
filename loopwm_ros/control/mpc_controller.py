"""Model-predictive control as a `Controller`: the loop of the mpc node, without ROS."""

from __future__ import annotations

import time
from collections.abc import Callable

from loopwm_ros.control.receding_horizon import EARLY, PlanReport, RecedingHorizon
from loopwm_ros.control.synchroniser import Synchroniser
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory, Observation
from loopwm_ros.world_model.base import Clock


class MpcController:
    """Plans in the caller's thread at the start of each slot, within a budget if there is one."""

    def __init__(
        self,
        horizon: RecedingHorizon,
        synchroniser: Synchroniser,
        model_period: float,
        on_plan: Callable[[PlanReport], None],
        budget: float | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        """`on_plan` receives each planning cycle's report.

        `budget` [s] is what a cycle may take, from the encoding to the plan, on `clock` (the horizon's, too);
        None plans in full.
        """
        self._horizon, self._synchroniser = horizon, synchroniser
        self._period, self._on_plan = model_period, on_plan
        self._budget, self._clock = budget, clock
        self._slot = 0.0

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin an episode at rest at the measured joints."""
        self._synchroniser.clear()
        self._synchroniser.add_joints(joints)
        self._horizon.start(now, joints.position, seed)
        self._horizon.add_joints(joints)
        self._slot = now

    def observe_joints(self, joints: JointState) -> None:
        """A measured joint state."""
        self._synchroniser.add_joints(joints)
        self._horizon.add_joints(joints)

    def observe_frame(self, frame: CameraFrame) -> None:
        """A camera frame that has arrived."""
        self._synchroniser.add_frame(frame)

    def observe_command(self, stamp: float, position: F64) -> None:
        """A joint reference (n,) that was really sent."""
        self._horizon.add_command(stamp, position)

    def give_goal(self, position: F64 | None) -> None:
        """Bring it to this position (3,) in the base frame [m]; None: take back what was given.

        Raises:
            ConfigError: not a position.
            SensorError: it lies beside the workspace.
        """
        self._horizon.give_goal(position)

    def show_goal(self, observation: Observation) -> None:
        """Bring the moved object to where it is in this goal image.

        Raises:
            ConfigError: the task moves no object.
            SensorError: the object is not found in the image, or beside the workspace.
        """
        self._horizon.show_goal(observation)

    def tick(self, now: float) -> JointTrajectory:
        """The trajectory due at `now`; plans first where a new slot begins."""
        due = self._horizon.command(now)
        if now >= self._slot - EARLY:
            observation = self._synchroniser.latest()
            if observation is not None:
                deadline = None if self._budget is None else self._clock() + self._budget
                self._on_plan(self._horizon.plan(observation, self._slot, deadline))
            self._slot += self._period
        return due.trajectory
