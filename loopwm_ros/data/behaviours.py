"""How the arm moves while data is collected: a mixture, so that the model sees more than success."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig, TaskConfig
from loopwm_ros.config.task import TOOL, ObjectConfig
from loopwm_ros.control.assembly import build_motion
from loopwm_ros.control.baselines import RandomController, ScriptedController
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.mpc_controller import MpcController
from loopwm_ros.control.pushing import Places, PushingController, PushSettings
from loopwm_ros.errors import ConfigError, choices
from loopwm_ros.types import F64, JointState, JointTrajectory

REACHING = {"random": 0.25, "reach": 0.4, "goals": 0.35}  # shares where the tool is brought to the goal
PUSHING = {"random": 0.15, "push": 0.3, "pushes": 0.55}  # where an object is
PLANNED = {"plans": 1.0}  # where a model is given
OTHERS = ("chains",)  # in recipes alone
NEAR = 0.12  # random goals near the ball are at most this far from it, each axis [m]
GOAL_PERIOD = 25  # mean control periods before another random goal
PUSH_PERIOD = 30  # the same for an object, which takes longer to bring there
PLAN_PERIOD = 90  # the same for a planner, whose mistakes show late
CHAIN_PERIOD = 60  # the same for another pair of objects, one of which is pushed into the other
THROUGH = 0.08  # beyond the other object's centre, so that it is pushed on [m]
AIM_ERROR = 0.015  # standard deviation of a reach's aim, each axis [m]


def draw_behaviour(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """One behaviour's name, by its share."""
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def build_behaviour(
    name: str,
    rng: np.random.Generator,
    kinematics: Kinematics,
    arm: ArmConfig,
    task: TaskConfig,
    control_period: float,
    cell: BulletCell,
    planner: MpcController | None = None,
) -> Controller:
    """Controller of one episode, its speed, noise and aim drawn from `rng`.

    Args:
        name: random (smooth random tool velocities); reach (a noisy approach to the goal), goals (one
            random point after another, half of them near the goal); push (a noisy push of the object to the
            goal), pushes (to one random point after another), chains (one object after another, half the time
            into another one and on), plans (as a model plans, to one random point after another).
        rng: the episode's random stream, kept by the controller.
        kinematics: of the arm.
        arm: its workspace bounds the goals.
        task: its limits bound the motion, its goal offset is where a reach ends.
        control_period: [s].
        cell: asked for the truth.
        planner: what plans with a model, its goals given to it.

    Raises:
        ConfigError: no such behaviour, or it lacks what it needs.
    """
    if name == "plans":
        if planner is None:
            raise ConfigError("behaviour 'plans' needs a model to plan with; give --bundle DIRECTORY")
        wanted = _goals_of_plans(rng, arm, task, cell)
        return GoalAfterGoal(planner, wanted, np.asarray(task.goal_offset))
    motion = build_motion(kinematics, arm, task, control_period)
    speed = task.max_tool_speed * float(rng.uniform(0.4, 1.0))
    if name == "random":
        return RandomController(kinematics, motion, speed, memory=float(rng.uniform(0.85, 0.98)))
    offset = np.asarray(task.goal_offset)

    def goal() -> F64:
        return cell.truth().points[task.goal]

    if name in ("reach", "goals"):
        gain, noise = float(rng.uniform(1.5, 5.0)), float(rng.uniform(0.0, 0.4))
        if name == "reach":
            aim = offset + rng.normal(scale=AIM_ERROR, size=3)
            return ScriptedController(kinematics, motion, lambda: goal() + aim, speed, gain, noise)
        low, high = np.asarray(arm.workspace.low), np.asarray(arm.workspace.high)
        goals = RandomGoals(rng, low, high, lambda: goal() + offset, GOAL_PERIOD)
        return ScriptedController(kinematics, motion, goals, speed, gain, noise)
    if name not in ("push", "pushes", "chains"):
        raise choices("behaviour", name, {*REACHING, *PUSHING, *OTHERS, *PLANNED})
    settings = PushSettings(
        speed=speed,
        standoff=float(rng.uniform(0.06, 0.1)),
        cone=float(rng.uniform(0.2, 0.6)),
        noise=float(rng.choice([0.0, 0.1, 0.25, 0.5])),
    )
    places = _places(name, rng, task, cell)
    return PushingController(kinematics, motion, places, settings)


def _goals_of_plans(
    rng: np.random.Generator, arm: ArmConfig, task: TaskConfig, cell: BulletCell
) -> Callable[[], F64]:
    if task.moved == TOOL:
        low, high = np.asarray(arm.workspace.low), np.asarray(arm.workspace.high)
        return RandomGoals(rng, low, high, lambda: cell.truth().tool, PLAN_PERIOD)
    ends = _ends(task.objects[task.moved])
    return RandomGoals(rng, *ends, lambda: cell.truth().points[task.moved], PLAN_PERIOD)


def _ends(thing: ObjectConfig) -> tuple[F64, F64]:
    """Lowest and highest place where an object is put (3,), base frame [m]."""
    return np.array([thing.x[0], thing.y[0], 0.0]), np.array([thing.x[1], thing.y[1], 0.0])


def _places(name: str, rng: np.random.Generator, task: TaskConfig, cell: BulletCell) -> Places:
    """What a pushing behaviour pushes, and where to."""
    moved = task.moved
    if name == "push":
        offset = np.asarray(task.goal_offset)
        return lambda: (cell.truth().points[moved], cell.truth().points[task.goal] + offset)
    ranges = {key: _ends(thing) for key, thing in task.objects.items() if thing.movable}
    if name == "pushes":
        target = RandomGoals(rng, *ranges[moved], lambda: cell.truth().points[moved], PUSH_PERIOD)
        return lambda: (cell.truth().points[moved], target())
    if len(ranges) < 2:
        raise ConfigError(
            f"behaviour 'chains' needs two objects that can be pushed; task '{task.name}' has {len(ranges)}"
        )
    return Chains(rng, ranges, lambda: cell.truth().points)


class GoalAfterGoal:
    """A planner that is given one goal after another."""

    def __init__(self, planner: MpcController, places: Callable[[], F64], offset: F64) -> None:
        """`places` is asked once per period: where to bring it, `offset` from the goal, (3,) [m]."""
        self._planner, self._places, self._offset = planner, places, offset
        self._place: F64 | None = None
        self.observe_joints = planner.observe_joints
        self.observe_frame = planner.observe_frame
        self.observe_command = planner.observe_command

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        """Begin an episode at rest at the measured joints."""
        self._planner.reset(seed, now, joints)
        self._place = None

    def tick(self, now: float) -> JointTrajectory:
        """The trajectory due at `now`."""
        place = self._places()
        if place is not self._place:
            self._planner.give_goal(place - self._offset)
            self._place = place
        return self._planner.tick(now)


class RandomGoals:
    """A target that jumps at random times. Asked once per control period."""

    def __init__(
        self, rng: np.random.Generator, low: F64, high: F64, attraction: Callable[[], F64], period: int
    ) -> None:
        """Half of the goals are near `attraction` (3,) [m], half anywhere from `low` to `high`.

        Another one comes after `period` calls, on average.
        """
        self._rng, self._attraction, self._chance = rng, attraction, 1.0 / period
        self._low, self._high = low, high
        self._goal: F64 | None = None

    def __call__(self) -> F64:
        """The present goal (3,) [m]."""
        if self._goal is None or self._rng.random() < self._chance:
            self._goal = self._draw()
        return self._goal

    def _draw(self) -> F64:
        if self._rng.random() < 0.5:
            return self._rng.uniform(self._low, self._high)
        near = self._attraction() + self._rng.uniform(-NEAR, NEAR, size=3)
        return np.clip(near, self._low, self._high)


class Chains:
    """One object to be pushed through another's place, or half the time to a random point, one after another.

    Asked once per control period.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        ranges: Mapping[str, tuple[F64, F64]],
        points: Callable[[], Mapping[str, F64]],
    ) -> None:
        """`ranges`: lowest and highest place of each object, two at least; `points`: where they are [m]."""
        self._rng, self._ranges, self._points = rng, ranges, points
        self._pair: tuple[str, str | F64] | None = None  # what is pushed, and into what or where to

    def __call__(self) -> tuple[F64, F64]:
        """Where the pushed object is, and where it should go, (3,) each [m]."""
        if self._pair is None or self._rng.random() < 1.0 / CHAIN_PERIOD:
            self._pair = self._draw()
        points, (pushed, target) = self._points(), self._pair
        here = points[pushed]
        if not isinstance(target, str):
            return here, target
        way = points[target] - here
        return here, points[target] + THROUGH * way / max(1e-6, float(np.linalg.norm(way)))

    def _draw(self) -> tuple[str, str | F64]:
        first, second = (str(name) for name in self._rng.choice(list(self._ranges), 2, replace=False))
        return (
            (first, second) if self._rng.random() < 0.5 else (first, self._rng.uniform(*self._ranges[first]))
        )
