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

from loopwm_ros.control.command_history import CommandHistory
from loopwm_ros.control.goal import GoalTracker
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.synchroniser import JUMP
from loopwm_ros.control.tool_motion import ToolMotion
from loopwm_ros.control.trajectory import deviation, hold, sample
from loopwm_ros.planning.base import Objective, Planner
from loopwm_ros.processing.states import action_from_displacement, tool_velocity
from loopwm_ros.types import F32, F64, Encoding, JointTrajectory, Observation, Plan
from loopwm_ros.world_model.base import WorldModel

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
    duration: float  # wall time of the cycle [s]
    plan: Plan | None  # None: the goal is not seen or out of reach, the arm holds
    goal: F64 | None  # goal object, base frame [m], (3,)
    encoding: Encoding | None = None  # of the newest observation, `delay` before the effect
    beside: str = ""  # where the goal is seen, if that is beside the workspace


@dataclass(frozen=True)
class Due:
    """What to publish this control period."""

    trajectory: JointTrajectory
    fresh: bool  # False: the plan for this slot has not arrived


class RecedingHorizon:
    """One arm's controller. Call `start`, then `plan` once per slot and `command` once per period.

    `command` may be called from another thread than the rest. `plan` and `add_command` share one, for the
    kinematics' and the model's sake; `start` comes before either thread.
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        objective_for: ObjectiveFor,
        goal: GoalTracker,
        kinematics: Kinematics,
        motion: ToolMotion,
    ) -> None:
        self._model, self._planner, self._objective_for = model, planner, objective_for
        self._goal, self._motion = goal, motion
        self._spec = model.spec
        self._history = CommandHistory(kinematics)
        self._kinematics = kinematics
        self._lock = threading.Lock()
        self._active: JointTrajectory | None = None
        self._next: JointTrajectory | None = None
        self._state: tuple[float, F32] | None = None  # stamp of the last observation, h_k
        self._encoding: Encoding | None = None  # of that observation
        self._planned_slot = -np.inf
        self._seed = 0

    def start(self, now: float, position: F64, seed: int = 0) -> None:
        """Begin at rest at the measured joints (n,) [rad]; forget all that was before."""
        with self._lock:
            self._history.clear(now, position)
            self._active, self._next = hold(now, position), None
        self._planned_slot = now - self._spec.model_period
        self._state = None
        self._goal.clear()
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
        with self._lock:
            self._history.add(stamp, position)

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
        began = time.perf_counter()
        if self._state is not None and self._state[0] - observation.stamp > JUMP:
            self._restart(slot)
        effect = slot + self._spec.model_period
        with self._lock:
            self._promoted(slot)
        self._observe(observation)
        assert self._state is not None
        stamp, state = self._state
        reference = self._reference(effect)
        target = self._goal.target
        plan = None
        velocities = np.zeros((COMMITTED * self._spec.stride, 3))
        if target is not None:
            pending = self._actions(stamp, effect)
            state = self._model.advance(state, pending)
            objective = self._objective_for(target, pending[-1])
            elapsed = max(1, round((slot - self._planned_slot) / self._spec.model_period))
            plan = self._planner.plan(state, objective, elapsed, deadline)
            velocities = np.repeat(
                tool_velocity(self._spec, plan.actions[:COMMITTED]), self._spec.stride, axis=0
            )
            self._planned_slot = slot
        trajectory = self._motion.trajectory(effect, *reference, velocities)
        with self._lock:
            self._next = trajectory
        duration = time.perf_counter() - began
        delay = effect - observation.stamp
        beside = self._goal.beside if plan is None else ""
        return PlanReport(slot, delay, duration, plan, self._goal.seen, self._encoding, beside)

    def _restart(self, now: float) -> None:
        """Start anew at `now` [s] from the last reference."""
        last = self._history.last
        assert last is not None, "start() comes first"
        self.start(now, last[1], self._seed)

    def _observe(self, observation: Observation) -> None:
        """Update the latent state with a new observation (Eq. h_k = L(h_{k-1}, e_k, u_k))."""
        if self._state is not None and observation.stamp <= self._state[0]:
            return
        encoding = self._encoding = self._model.encode(observation)
        self._goal.add(encoding)
        gap = np.inf if self._state is None else observation.stamp - self._state[0]
        if self._state is None or gap > MAX_GAP * self._spec.model_period:
            start = self._model.initial_state()
            action = np.zeros(self._spec.action_dim, dtype=np.float32)
            self._state = observation.stamp, self._model.update(start, encoding, action)
            return
        action = self._commanded(np.array([self._state[0], observation.stamp]))[0]
        self._state = observation.stamp, self._model.update(self._state[1], encoding, action)

    def _actions(self, since: float, until: float) -> F32:
        """Actions (steps, action_dim) already on their way between two times, steps >= 1."""
        steps = max(1, int((until - since) / self._spec.model_period + 0.5 + ROUNDING))
        return self._commanded(np.linspace(since, until, steps + 1))

    def _commanded(self, times: F64) -> F32:
        """Actions (m - 1, action_dim) from commanded tool positions: sent ones, then planned ones."""
        with self._lock:
            tools = self._history.tool_at(times)
            last = self._history.last
        assert last is not None
        for i, at in enumerate(times):
            if at > last[0]:
                tools[i] = self._kinematics.tool_position(self._reference(float(at))[0])
        spec = self._spec
        displacement = np.diff(tools, axis=0)
        return action_from_displacement(displacement, spec.action_dim, spec.max_tool_speed, spec.model_period)

    def _reference(self, at: float) -> tuple[F64, F64]:
        """Joint reference and velocity (n,) at `at`, moved to what was really sent if that differs."""
        with self._lock:
            source = self._next if self._next is not None and at >= self._next.stamp else self._active
            last, active = self._history.last, self._active
        assert source is not None
        assert active is not None
        assert last is not None
        position, velocity = sample(source, at)
        return position + deviation(active, last), velocity
