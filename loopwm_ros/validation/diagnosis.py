"""A word on why an episode failed, from its trace and what the simulator knew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from loopwm_ros.config import Box, TaskConfig
from loopwm_ros.config.task import TOOL
from loopwm_ros.types import F64
from loopwm_ros.validation.trace import Series, Trace

STOPPED = 1.0  # the safety gate's braking, or a limit of its filter, counts from this long on [s]
LIMITS = {  # of the safety filter: they slow the arm, but do not stop it
    "acceleration": None,
    "velocity": None,
    "position": "tool held back by a joint's limit",
    "workspace": "tool held back at the workspace's border",
}
FALLEN = 0.02  # below where it was [m]
TOUCHED = 0.01  # an object that was touched went this far [m]
JUMP = 0.03  # a longer way from one sample to the next is a hand's doing [m]
MISREAD = 0.5  # of the distance to hold: an error of a reading that explains a failure
SWING = 0.03  # nearer and farther again by this is one swing [m]
NO_GOAL = "never had a goal: it was not seen, refused, or beside the workspace"
STILL, STILL_FOR = 0.01, 3.0  # a tool that moves less than this [m] in this time [s] stands still


@dataclass(frozen=True)
class Case:
    """An episode that did not get `near` enough [m]."""

    trace: Trace
    task: TaskConfig
    workspace: Box
    near: float

    @property
    def name(self) -> str:
        """What should have been brought to the goal."""
        return self.task.moved

    @property
    def moved(self) -> Series:
        """Where it was, (m, 3)."""
        return self.trace.tool if self.name == TOOL else self.trace.points.get(self.name, _NOWHERE)

    @property
    def since(self) -> float:
        """From then on things were as they were at the end [s]."""
        return self.trace.start + (self.trace.result.disturbed_at_s or 0.0)

    @property
    def distances(self) -> F64:
        """The task's distance since then, (m,)."""
        return self.trace.distance.values[self.trace.distance.stamps >= self.since]

    @property
    def left(self) -> str:
        """How far it was from the goal at the end, in words."""
        return f"{self.trace.result.final_distance_m * 100:.1f} cm from the goal"


_NOWHERE = Series(np.empty(0), np.empty((0, 3)))


def diagnose(trace: Trace, task: TaskConfig, workspace: Box) -> str | None:
    """The first finding that applies; None for an episode that lacks nothing.

    A success that missed the task's precise distance is judged by that one.
    """
    result = trace.result
    precise = task.precise_distance is None or result.precise_time_s is not None
    if result.why is not None or (result.success and precise):
        return result.why
    near = task.success_distance
    if result.success and task.precise_distance is not None:
        near = task.precise_distance
    case = Case(trace, task, workspace, near)
    found = (finding(case) for finding in FINDINGS)
    return next((words for words in found if words is not None), f"time ran out {case.left}")


def _stopped(case: Case) -> str | None:
    braked = {r: s for r, s in case.trace.held_back.items() if r not in LIMITS and s >= STOPPED}
    return f"safety gate stopped the arm: {max(braked, key=braked.__getitem__)}" if braked else None


def _no_goal(case: Case) -> str | None:
    loops = case.trace.loops.values  # of each planning cycle; NaN without a plan
    return NO_GOAL if len(loops) and not np.isfinite(loops).any() else None


def _lost(case: Case) -> str | None:
    """The object is where the arm cannot push it back."""
    if case.name == TOOL or not len(case.moved.stamps):
        return None
    first, last = case.moved.values[0], case.moved.values[-1]
    if last[2] < first[2] - FALLEN:
        return f"{case.name} fell off the table"
    low, high = np.asarray(case.workspace.low), np.asarray(case.workspace.high)
    outside = bool(np.any(last[:2] < low[:2]) or np.any(last[:2] > high[:2]))
    return f"{case.name} left the workspace" if outside else None


def _untouched(case: Case) -> str | None:
    if case.name == TOOL or not len(case.moved.stamps):
        return None
    steps = np.linalg.norm(np.diff(case.moved.values, axis=0), axis=1)
    return f"never touched the {case.name}" if float(steps[steps < JUMP].sum()) < TOUCHED else None


def _misread(case: Case) -> str | None:
    """What is moved was not where the encoder saw it, in the second half of the time."""
    error = _reading_error(case.trace.readings.get(case.name, _NOWHERE), case.moved)
    return f"{case.name} reading off by {error * 100:.1f} cm" if error > MISREAD * case.near else None


def _reading_error(readings: Series, truth: Series) -> float:
    """Median along the table over the second half [m]; 0 where nothing was read."""
    if not len(readings.stamps) or not len(truth.stamps):
        return 0.0
    late = readings.stamps >= 0.5 * (readings.stamps[0] + readings.stamps[-1])
    actual = np.array([truth.held(stamp) for stamp in readings.stamps[late]])
    return float(np.median(np.linalg.norm((readings.values[late] - actual)[:, :2], axis=1)))


def _goal_mistaken(case: Case) -> str | None:
    """The goal that plans went for, given or seen, was not where the goal was."""
    goal = case.trace.points.get(case.task.goal, _NOWHERE)
    taken = [p for p in case.trace.imagined if p.goal is not None]
    if not taken or not len(goal.stamps):
        return None
    late = taken[len(taken) // 2 :]
    gaps = [np.linalg.norm((p.goal - goal.held(p.stamp))[:2]) for p in late if p.goal is not None]
    error = float(np.median(gaps))
    return f"goal taken to be {error * 100:.1f} cm off" if error > MISREAD * case.near else None


def _overshot(case: Case) -> str | None:
    distances = case.distances
    if not len(distances) or float(np.min(distances)) > case.near or distances[-1] <= case.near:
        return None
    way = case.moved.values[case.moved.stamps >= case.since]
    goal = case.trace.points.get(case.task.goal, _NOWHERE).values
    if case.name != TOOL and len(way) and len(goal):
        ahead = (goal[-1] - way[0])[:2]
        if float((way[-1] - goal[-1])[:2] @ ahead) > 0:
            return f"pushed past the goal, {case.left}"
    return f"reached the goal and lost it again, {case.left}"


def _swings(distances: F64) -> int:
    """How often the distance fell and then rose again by `SWING` each."""
    count, falling, extreme = 0, False, float(distances[0])
    for value in distances[1:]:
        if falling:
            extreme = min(extreme, float(value))
            if value > extreme + SWING:
                count, falling, extreme = count + 1, False, float(value)
        else:
            extreme = max(extreme, float(value))
            if value < extreme - SWING:
                falling, extreme = True, float(value)
    return count


def _wavered(case: Case) -> str | None:
    swings = _swings(case.distances) if len(case.distances) else 0
    return f"went back and forth {swings} times, {case.left}" if swings >= 2 else None


def _held_back(case: Case) -> str | None:
    words = [LIMITS[r] for r, s in case.trace.held_back.items() if r in LIMITS and s >= STOPPED]
    return next((f"{w}, {case.left}" for w in words if w is not None), None)


def _stood_still(case: Case) -> str | None:
    tool = case.trace.tool
    late = tool.values[tool.stamps >= tool.stamps[-1] - STILL_FOR] if len(tool.stamps) else tool.values
    still = len(late) > 1 and float(np.max(np.ptp(late, axis=0))) < STILL
    return f"stood still {case.left}" if still else None


FINDINGS: tuple[Callable[[Case], str | None], ...] = (
    _stopped,
    _no_goal,
    _lost,
    _untouched,
    _misread,
    _goal_mistaken,
    _overshot,
    _wavered,
    _held_back,
    _stood_still,
)
