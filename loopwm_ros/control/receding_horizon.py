"""Receding-horizon control: observe, compensate the delay, plan, and answer with what is due.

Time is cut into slots of one model period. A plan made in one slot takes effect at the start of the
next, so its start is known before it is made. `plan` is heavy and may run in a worker thread;
`command` only picks what is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from loopwm_ros.config.task import LookConfig
from loopwm_ros.control.goal import GoalTracker
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.looking import Looking
from loopwm_ros.control.motion_history import MotionHistory
from loopwm_ros.control.prediction_gap import Gap, GapMeter, Hindsight
from loopwm_ros.control.synchroniser import JUMP
from loopwm_ros.control.tool_motion import ToolMotion
from loopwm_ros.control.trajectory import deviation, hold, sample
from loopwm_ros.errors import PlanningError
from loopwm_ros.planning.base import Objective, Planner
from loopwm_ros.processing.states import tool_velocity
from loopwm_ros.types import F32, F64, Encoding, JointState, JointTrajectory, Observation, Plan, PointPaths
from loopwm_ros.world_model.base import Clock, WorldModel

COMMITTED = 3  # actions turned into joint motion: this slot's, and two more should the next plan be late
MAX_GAP = 2.5  # model periods without an observation after which the latent state starts anew
EARLY = 1e-4  # a plan is due this much before its stamp, for rounding [s]
ROUNDING = 1e-3  # of a model period: half a period more always counts as one, whatever the stamps' last bits

ObjectiveFor = Callable[[F64, F32], Objective]  # (goal (3,) [m], action now (action_dim,))


@dataclass(frozen=True)
class PlanReport:
    """What one planning cycle did."""

    slot: float  # start of the slot it was made in [s]
    delay: float  # observation to effect, bridged by rolling the latent forward [s]
    duration: float  # of the cycle, on the controller's clock [s], ...
    plan: Plan | None  # None: the goal is not seen or out of reach, the arm holds, or looks for it
    goal: F64 | None  # goal object, base frame [m], (3,)
    encoding: Encoding | None = None  # of the newest observation, `delay` before the effect
    beside: str = ""  # where the goal is seen, if that is beside the workspace
    gaps: tuple[Gap, ...] = ()  # in hindsight, with ...
    prediction: PointPaths | None = None  # ... what they are measured on; None: off, or no time for it
    searched: float = 0.0  # ... of which until the plan was found, which is what a deadline is for [s]
    reading: PointPaths | None = None  # what the encoder was sure of; None: nothing new was seen


@dataclass(frozen=True)
class Due:
    """What to publish this control period."""

    trajectory: JointTrajectory
    fresh: bool  # False: the plan for this slot has not arrived


class RecedingHorizon:
    """One arm's controller. Call `start`, then `plan` once per slot and `command` once per period.

    `command` may be called from another thread than the rest. `plan`, `add_command` and `add_joints` share
    one, for the kinematics' and the model's sake; `start` comes before either thread.

    While nobody commands the arm (disarmed, or in shadow) every plan starts at rest from the measured joints,
    and the model is told how the arm was really moved.
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        objective_for: ObjectiveFor,
        goal: GoalTracker,
        kinematics: Kinematics,
        motion: ToolMotion,
        gap: GapMeter | None = None,
        clock: Clock = time.perf_counter,
        *,
        look: LookConfig | None = None,
    ) -> None:
        """Put it together; without `gap` there is no hindsight, without `look` the arm holds without a goal.

        `clock` is the one of deadlines.
        """
        self._gap, self._clock, self._looking = gap, clock, Looking(look)
        self._model, self._planner, self._objective_for = model, planner, objective_for
        self._goal, self._motion, self._kinematics = goal, motion, kinematics
        self._spec = model.spec
        self._commands = model.spec.commands_per_action(motion.period)
        self._history = MotionHistory(kinematics, model.spec)
        self._lock = threading.Lock()
        self._active: JointTrajectory | None = None
        self._next: JointTrajectory | None = None
        self._state: tuple[float, F32] | None = None  # stamp of the last observation, h_k
        self._encoding: Encoding | None = None  # of that observation, with ...
        self._reading: PointPaths | None = None  # ... what is sure in it, if it is new
        self._planned_slot = -np.inf
        self._seed = 0

    def start(self, now: float, position: F64, seed: int = 0) -> None:
        """Begin at rest at the measured joints (n,) [rad]; forget all that was before."""
        self._history.clear(now, position)
        with self._lock:
            self._active, self._next = hold(now, position), None
        self._planned_slot = now - self._spec.model_period
        self._forget()
        self._goal.clear()
        self._looking.clear()
        self._seed = seed
        self._planner.reset(seed)

    def give_goal(self, position: F64 | None) -> None:
        """Bring it to this position (3,) in the base frame [m]; None: take back what was given.

        Raises:
            ConfigError: not a position.
            SensorError: it lies beside the workspace.
        """
        self._goal.give(position)

    def show_goal(self, observation: Observation) -> None:
        """Bring the moved object to where it is in this goal image, seen by the same camera.

        Raises:
            ConfigError: the task moves no object.
            SensorError: the object is not found in the image.
        """
        self._goal.show(self._model.encode(observation))

    def add_command(self, stamp: float, position: F64) -> None:
        """Note a joint reference (n,) that was really sent to the controller."""
        self._history.add_command(stamp, position)

    def add_joints(self, joints: JointState) -> None:
        """Note a measured joint state."""
        self._history.add_joints(joints)

    def command(self, now: float) -> Due:
        """What is due at `now` [s]."""
        with self._lock:
            active = self._promoted(now)
            return Due(active, now - active.stamp < self._spec.model_period - EARLY)

    def _promoted(self, now: float) -> JointTrajectory:
        """The plan in effect at `now`; the caller holds the lock."""
        if self._next is not None and now >= self._next.stamp - EARLY:
            self._active, self._next = self._next, None
        assert self._active is not None, "start() comes first"
        return self._active

    def plan(self, observation: Observation, slot: float, deadline: float | None) -> PlanReport:
        """Plan in the slot that starts at `slot` [s] for the one after it.

        `deadline` is on the world model's clock; None plans in full. An observation from before the last
        one by more than `JUMP` means that the clock jumped back: control starts anew.
        """
        began = self._clock()
        if self._state is not None and self._state[0] - observation.stamp > JUMP:
            self._restart(slot)
        if observation.stamp > self._history.known[1]:
            self._history.add_joints(observation.joints)
        with self._lock:
            self._promoted(slot)
        self._observe(observation, slot)
        effect = slot + self._spec.model_period
        reference = self._reference(effect, slot)
        plan = self._search(slot, effect, deadline)
        searched = self._clock() - began
        actions = self._look(slot, reference[0])
        if plan is not None:
            actions = tool_velocity(self._spec, plan.actions[:COMMITTED])
        trajectory = self._motion.trajectory(effect, *reference, np.repeat(actions, self._commands, axis=0))
        with self._lock:
            self._next = trajectory
        past = self._hindsight(slot, deadline)
        return PlanReport(
            slot=slot,
            delay=effect - observation.stamp,
            duration=self._clock() - began,
            plan=plan,
            goal=self._goal.seen,
            encoding=self._encoding,
            beside=self._goal.beside if plan is None else "",
            gaps=past.gaps if past else (),
            prediction=past.prediction if past else None,
            searched=searched,
            reading=self._reading,
        )

    def _search(self, slot: float, effect: float, deadline: float | None) -> Plan | None:
        """The plan for `effect` [s], made in the slot that starts at `slot` [s]; None without a goal."""
        assert self._state is not None
        stamp, state = self._state
        target = self._goal.target
        if target is None:
            return None
        pending = self._actions(stamp, effect, slot)
        state = self._model.advance(state, pending)
        objective = self._objective_for(target, pending[-1])
        elapsed = max(1, round((slot - self._planned_slot) / self._spec.model_period))
        if self._gap is not None:
            deadline = self._gap.search_deadline(deadline)
        plan = self._planner.plan(state, objective, elapsed, deadline)
        if not np.isfinite(plan.actions).all():
            raise PlanningError(
                "the planner gave NaN or infinity; the plan is dropped and control starts anew"
            )
        self._planned_slot = slot
        return plan

    def _look(self, slot: float, position: F64) -> F64:
        """Tool velocities (COMMITTED, 3) [m/s] without a plan, from joints (n,) [rad]; none in silence."""
        if not self._goal.missing or self._history.resting(slot) is not None:
            self._looking.clear()
            return np.zeros((COMMITTED, 3))
        return np.tile(self._looking.velocity(slot, self._kinematics.tool_position(position)), (COMMITTED, 1))

    def recover(self) -> None:
        """After a plan that failed: forget what it may have left half done. The plan in effect stays."""
        self._forget()
        self._planner.reset(self._seed)

    def _hindsight(self, slot: float, deadline: float | None) -> Hindsight | None:
        if self._gap is None:
            return None
        return self._gap.measure(self._history, slot, lambda at: self._reference(at, slot)[0], deadline)

    def _restart(self, now: float) -> None:
        """Start anew at `now` [s] from the last reference; where nobody commands the arm, from its joints."""
        assert self._state is not None
        resting = self._history.resting(self._state[0])
        self.start(now, self._history.sent[1] if resting is None else resting, self._seed)

    def _forget(self) -> None:
        """Begin with an unknown latent state."""
        self._state = None
        if self._gap is not None:
            self._gap.clear()

    def _observe(self, observation: Observation, slot: float) -> None:
        """Update the latent state with a new observation (Eq. h_k = L(h_{k-1}, e_k, u_k))."""
        self._reading = None
        if self._state is not None and observation.stamp <= self._state[0]:
            return
        encoding = self._encoding = self._model.encode(observation)
        self._goal.add(encoding)
        gap = np.inf if self._state is None else observation.stamp - self._state[0]
        if self._state is None or gap > MAX_GAP * self._spec.model_period:
            self._forget()
            state = self._model.initial_state()
            action = np.zeros(self._spec.action_dim, dtype=np.float32)
        else:
            stamp, state = self._state
            action = self._executed(np.array([stamp, observation.stamp]), slot)[0]
        state = self._model.update(state, encoding, action)
        self._state = observation.stamp, state
        if self._gap is not None:
            self._reading = self._gap.observe(observation.stamp, state, encoding)

    def _actions(self, since: float, until: float, slot: float) -> F32:
        """Actions (steps, action_dim) already on their way between two times, steps >= 1."""
        steps = max(1, int((until - since) / self._spec.model_period + 0.5 + ROUNDING))
        return self._executed(np.linspace(since, until, steps + 1), slot)

    def _executed(self, times: F64, slot: float) -> F32:
        """Actions (m - 1, action_dim): sent ones, then planned ones; in silence, as the arm was moved."""
        return self._history.actions(times, slot, lambda at: self._reference(at, slot)[0])

    def _reference(self, at: float, slot: float) -> tuple[F64, F64]:
        """Joint reference and velocity (n,) at `at`, moved to what was really sent if that differs.

        While nobody commands the arm in this `slot`: where it is, at rest.
        """
        resting = self._history.resting(slot)
        if resting is not None:
            return resting, np.zeros_like(resting)
        with self._lock:
            source = self._next if self._next is not None and at >= self._next.stamp else self._active
            active = self._active
        assert source is not None
        assert active is not None
        position, velocity = sample(source, at)
        return position + deviation(active, self._history.sent), velocity
