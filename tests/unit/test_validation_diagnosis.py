"""A word on why an episode failed: each from a trace made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.validation.diagnosis import NO_GOAL, diagnose
from loopwm_ros.validation.summary import EpisodeResult
from loopwm_ros.validation.trace import Trace, TraceRecorder

PUSH, REACH = load_task("push"), load_task("reach")
WORKSPACE = load_arm("panda_rod").workspace
START, GOAL = np.array([0.40, 0.0, 0.03]), np.array([0.55, 0.0, 0.0])
START_TIME = 50.0  # stamps do not start at 0

Way = Callable[[float], np.ndarray]  # where the cube is at a share of the episode


def straight(end: np.ndarray) -> Way:
    return lambda share: START + share * (end - START)


def through(*ends: float) -> Way:
    """The cube's x, piecewise linear between these, evenly spread in time."""
    knots = np.linspace(0.0, 1.0, len(ends))
    return lambda share: np.array([np.interp(share, knots, ends), 0.0, 0.03])


def episode(
    way: Way,
    *,
    success: bool = False,
    precise: float | None = None,
    misread: float = 0.0,
    goal_off: float = 0.0,
    plans: bool = True,
    held_back: dict[str, float] | None = None,
    disturbed_at: float | None = None,
    tool_still: bool = False,
) -> Trace:
    """Twenty seconds of a cube that went some way; the encoder is `misread` [m] off."""
    recorder = TraceRecorder(0.1)
    distance = 1.0
    for tick in range(801):
        stamp, cube = START_TIME + tick / 40, way(tick / 800)
        distance = float(np.linalg.norm((cube - GOAL)[:2]))
        recorder.tool(stamp, START if tool_still else cube - [0.05 * np.sin(tick / 40), 0.0, 0.0])
        recorder.distance(stamp, distance)
        recorder.point("cube", stamp, cube)
        recorder.point("goal", stamp, GOAL)
        if tick % 4 == 0:
            recorder.cycle(stamp, 30.0, 2.0 if plans else float("nan"))
            if plans:
                recorder.imagined(stamp, [cube], GOAL + np.array([0.0, goal_off, 0.0]))
            recorder.reading("goal", stamp, cube)  # of no use where the goal is given
            recorder.reading("cube", stamp, cube + np.array([0.0, misread, 0.3]))
    for reason, seconds in (held_back or {}).items():
        recorder.held_back(reason, seconds)
    result = EpisodeResult(
        index=0, seed=0, success=success, time_to_success_s=5.0 if success else None, precise_time_s=precise,
        final_distance_m=distance, min_distance_m=0.0, disturbed_at_s=disturbed_at,
    )  # fmt: skip
    return recorder.finish(result)


def why(trace: Trace) -> str | None:
    return diagnose(trace, PUSH, WORKSPACE)


NEAR = straight(GOAL - [0.09, 0.0, -0.03])  # ends 9 cm from the goal
OFF_TABLE = through(0.40, 0.60)


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        (episode(NEAR), "time ran out 9.0 cm from the goal"),
        (episode(straight(START)), "never touched the cube"),
        (episode(NEAR, plans=False), NO_GOAL),
        (episode(straight(np.array([0.40, 0.40, 0.03]))), "cube left the workspace"),
        (episode(straight(np.array([0.45, 0.30, -0.50]))), "cube fell off the table"),
        (episode(through(0.40, 0.55, 0.65)), "pushed past the goal, 10.0 cm from the goal"),
        (episode(through(0.40, 0.55, 0.42)), "reached the goal and lost it again, 13.0 cm from the goal"),
        (
            episode(through(0.40, 0.47, 0.40, 0.47, 0.40, 0.44)),
            "went back and forth 2 times, 11.0 cm from the goal",
        ),
        (episode(NEAR, misread=0.031), "cube reading off by 3.1 cm"),
        (episode(NEAR, goal_off=0.04), "goal taken to be 4.0 cm off"),
        (
            episode(NEAR, held_back={"acceleration": 9.0, "plan is stale": 2.0}),
            "safety gate stopped the arm: plan is stale",
        ),
        (
            episode(NEAR, held_back={"workspace": 4.0}),
            "tool held back at the workspace's border, 9.0 cm from the goal",
        ),
        (episode(NEAR, held_back={"acceleration": 9.0}), "time ran out 9.0 cm from the goal"),
        (episode(NEAR, held_back={"plan is stale": 0.2}), "time ran out 9.0 cm from the goal"),
        (episode(NEAR, tool_still=True), "stood still 9.0 cm from the goal"),
    ],
)
def test_each_failure_has_its_word(trace: Trace, said: str) -> None:
    assert why(trace) == said


def test_nothing_is_said_of_an_episode_that_lacks_nothing() -> None:
    assert why(episode(straight(GOAL), success=True, precise=6.0)) is None
    near = episode(through(0.40, 0.52), success=True)
    assert diagnose(near, PUSH.model_copy(update={"precise_distance": None}), WORKSPACE) is None


def test_a_precise_distance_missed_is_judged_by_that_distance() -> None:
    assert why(episode(through(0.40, 0.52), success=True)) == "time ran out 3.0 cm from the goal"
    assert why(episode(through(0.40, 0.52), success=True, misread=0.012)) == "cube reading off by 1.2 cm"
    past = episode(through(0.40, 0.545, 0.585), success=True)
    assert why(past) == "pushed past the goal, 3.5 cm from the goal"


def test_a_hand_that_moves_the_cube_is_not_a_touch_of_the_arm() -> None:
    def by_hand(share: float) -> np.ndarray:
        return START if share < 0.1 else START + np.array([0.0, 0.1, 0.0])

    assert why(episode(by_hand, disturbed_at=2.0)) == "never touched the cube"


def test_swings_before_a_disturbance_are_forgotten() -> None:
    way = through(0.40, 0.47, 0.40, 0.47, 0.40, 0.40, 0.40, 0.40, 0.40, 0.44)
    assert "back and forth" in str(why(episode(way)))
    assert why(episode(way, disturbed_at=12.0)) == "time ran out 11.0 cm from the goal"


def test_what_is_known_already_is_kept() -> None:
    trace = episode(NEAR)
    known = trace.result.model_copy(update={"why": "object not found in the goal image"})
    recorder = TraceRecorder(0.1)
    assert diagnose(recorder.finish(known), PUSH, WORKSPACE) == "object not found in the goal image"


def test_a_task_that_moves_the_tool() -> None:
    recorder = TraceRecorder(0.1)
    for tick in range(800):
        recorder.tool(tick / 80, [0.4, 0.0, 0.3 - 0.0002 * tick])
        recorder.distance(tick / 80, 0.2)
    result = EpisodeResult(index=0, seed=0, success=False, final_distance_m=0.2, min_distance_m=0.2)
    assert diagnose(recorder.finish(result), REACH, WORKSPACE) == "time ran out 20.0 cm from the goal"


def test_an_episode_of_which_nothing_is_known() -> None:
    result = EpisodeResult(index=0, seed=0, success=False, final_distance_m=0.2, min_distance_m=0.2)
    assert why(TraceRecorder(0.1).finish(result)) == "time ran out 20.0 cm from the goal"
