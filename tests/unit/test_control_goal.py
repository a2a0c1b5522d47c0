"""The goal: confident readings only, their weighted median, where it was last seen to be."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import load_arm, load_task
from loopwm_ros.control.goal import GoalSettings, GoalTracker
from loopwm_ros.errors import ConfigError, MismatchError, SensorError
from loopwm_ros.types import Encoding
from tests.fakes import make_spec

TASK, PUSH = load_task("reach"), load_task("push")
PUSHED = PUSH.quantities
WORKSPACE = load_arm("panda").workspace
BALL = np.array([0.5, 0.1, 0.03])


def encoding(ball: np.ndarray, std: float = 0.002, tool_std: float = 0.002) -> Encoding:
    reading = np.concatenate([np.full(3, 9.0), ball]).astype(np.float32)
    spread = np.array([tool_std] * 3 + [std] * 3, dtype=np.float32)
    return Encoding(np.zeros((4, 64), np.float32), reading, spread)


def test_one_reading_is_not_enough() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    tracker.add(encoding(BALL))
    assert tracker.seen is None
    assert tracker.target is None
    tracker.add(encoding(BALL))
    assert np.allclose(tracker.seen, BALL)
    assert np.allclose(tracker.target, BALL + TASK.goal_offset)


def test_doubtful_readings_do_not_count_whatever_the_tool_reading_is_like() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    for _ in range(5):
        tracker.add(encoding(BALL, std=0.06))
        tracker.add(encoding(BALL, std=np.nan))
    assert tracker.seen is None
    for _ in range(2):
        tracker.add(encoding(BALL, std=0.049, tool_std=1.0))
    assert tracker.seen is not None


def test_outliers_do_not_move_it_and_old_readings_go() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE, GoalSettings(window=7))
    for i in range(20):
        tracker.add(encoding(BALL + (5.0 if i % 3 == 0 else 0.0)))
    assert np.allclose(tracker.seen, BALL, atol=1e-6)
    for _ in range(3):
        tracker.add(encoding(BALL + 0.2))
    assert np.allclose(tracker.seen, BALL + 0.2, atol=1e-6)


def test_half_hidden_for_long_it_stays_where_it_was_seen_well() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    for _ in range(10):
        tracker.add(encoding(BALL, std=0.005))
    for i in range(60):
        tracker.add(encoding(BALL + np.array([0.02 + 0.0001 * i, 0.0, 0.0]), std=0.03))
    assert np.allclose(tracker.seen, BALL, atol=1e-6)


@pytest.mark.parametrize(
    ("std", "moved"), [(0.002, 0.02), (0.005, 0.025), (0.01, 0.04), (0.02, 0.07), (0.005, 0.3)]
)
def test_moved_for_good_it_is_there_after_a_few_readings_that_agree(std: float, moved: float) -> None:
    tracker, there = GoalTracker(TASK, make_spec(), WORKSPACE), BALL + np.array([0.0, moved, 0.0])
    noise = np.random.default_rng(0)
    for _ in range(100):
        tracker.add(encoding(BALL + noise.normal(scale=0.002, size=3), std))
    for i in range(GoalSettings().moved_after):
        assert np.allclose(tracker.seen, BALL, atol=0.002), f"not after {i} readings"
        tracker.add(encoding(there + noise.normal(scale=0.002, size=3), std))
    assert np.allclose(tracker.seen, there, atol=0.005)
    for _ in range(3):
        tracker.add(encoding(BALL, std))
    assert np.allclose(tracker.seen, there, atol=0.005), "and three readings do not bring it back"


def test_a_move_too_small_to_tell_is_followed_as_readings_come_in() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    for _ in range(100):
        tracker.add(encoding(BALL, std=0.005))
    for _ in range(51):
        tracker.add(encoding(BALL + 0.01, std=0.005))
    assert np.allclose(tracker.seen, BALL + 0.01, atol=1e-6)


def test_settings_that_could_never_see_it_move_are_refused() -> None:
    with pytest.raises(ValueError, match="moved_after 6 must be below the window of 5"):
        GoalSettings(window=5)


def test_readings_that_do_not_agree_on_another_place_make_none() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    for _ in range(20):
        tracker.add(encoding(BALL, std=0.005))
    for i in range(19):
        tracker.add(encoding(BALL + np.array([0.1 + 0.05 * (i % 2), 0.0, 0.0]), std=0.01))
    assert np.allclose(tracker.seen, BALL, atol=1e-6)


def test_clearing_forgets() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    for _ in range(3):
        tracker.add(encoding(BALL))
    tracker.clear()
    assert tracker.seen is None


def test_quantities_are_found_by_name() -> None:
    spec = make_spec(quantities=("ball_z", "tool_x", "ball_x", "tool_y", "ball_y", "tool_z"))
    tracker = GoalTracker(TASK, spec, WORKSPACE)
    reading = np.array([3.0, 9.0, 1.0, 9.0, 2.0, 9.0], dtype=np.float32)
    for _ in range(2):
        tracker.add(Encoding(np.zeros((4, 64), np.float32), reading, np.zeros(6, np.float32)))
    assert np.allclose(tracker.seen, [1.0, 2.0, 3.0])


def test_a_goal_that_the_model_does_not_read_out_is_named() -> None:
    with pytest.raises(MismatchError, match="no quantity cup_x"):
        GoalTracker(TASK.model_copy(update={"goal": "cup"}), make_spec(), WORKSPACE)


def pushed(cube: tuple[float, ...], goal: tuple[float, ...], std: float = 0.002) -> Encoding:
    """Reading of the push task; everything but the cube has a deviation of 2 mm, the cube `std`."""
    places = {"tool": (9.0, 9.0, 9.0), "cube": cube, "cube_turn": (0.03, 0.0), "goal": goal}
    values = [v for name in places for v in places[name]]
    spread = [std if name.startswith("cube") and "turn" not in name else 0.002 for name in PUSHED]
    return Encoding(np.zeros((4, 64), np.float32), np.array(values, np.float32), np.array(spread, np.float32))


def push_tracker() -> GoalTracker:
    return GoalTracker(PUSH, make_spec(quantities=PUSHED, action_dim=2), WORKSPACE)


def test_a_given_position_holds_against_what_is_seen_until_it_is_taken_back() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    given = np.array([0.4, -0.1, 0.05])
    tracker.give(given)
    assert np.allclose(tracker.target, given + TASK.goal_offset)
    given[0] = 9.0
    assert np.allclose(tracker.seen, [0.4, -0.1, 0.05]), "it keeps its own copy"
    for _ in range(3):
        tracker.add(encoding(BALL))
    tracker.clear()
    assert np.allclose(tracker.seen, [0.4, -0.1, 0.05]), "a new start does not take it back"
    for _ in range(3):
        tracker.add(encoding(BALL))
    tracker.give(None)
    assert np.allclose(tracker.seen, BALL)


@pytest.mark.parametrize(
    ("position", "message"),
    [
        ([0.4, 0.1], r"the goal is \[0.4, 0.1\]; expected x, y and z \[m\], finite"),
        ([0.4, 0.1, float("nan")], r"the goal is \[0.4, 0.1, nan\]; expected x, y and z"),
        ([[0.4, 0.1, 0.0]], "expected x, y and z"),
    ],
)
def test_what_is_no_position_is_refused_and_changes_nothing(position: list[float], message: str) -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    tracker.give(BALL)
    with pytest.raises(ConfigError, match=message):
        tracker.give(np.array(position))
    assert np.allclose(tracker.seen, BALL)


def test_the_goal_that_an_image_shows_is_where_the_moved_object_is_in_it() -> None:
    tracker = push_tracker()
    tracker.show(pushed(cube=(0.5, 0.1, 0.03), goal=(0.4, -0.2, 0.0)))
    assert np.allclose(tracker.target, [0.5, 0.1, 0.03])
    for _ in range(3):
        tracker.add(pushed(cube=(0.3, 0.0, 0.03), goal=(0.4, -0.2, 0.0)))
    assert np.allclose(tracker.target, [0.5, 0.1, 0.03])
    tracker.give(None)
    assert np.allclose(tracker.target, [0.4, -0.2, 0.0]), "the mark, which was seen meanwhile"


def test_what_an_image_shows_has_the_task_s_offset_in_it_already() -> None:
    beside = PUSH.model_copy(update={"goal_offset": (0.0, 0.1, 0.0)})
    tracker = GoalTracker(beside, make_spec(quantities=PUSHED, action_dim=2), WORKSPACE)
    tracker.show(pushed(cube=(0.5, 0.1, 0.03), goal=(0.4, -0.2, 0.0)))
    assert np.allclose(tracker.target, [0.5, 0.1, 0.03])
    assert np.allclose(tracker.seen, [0.5, 0.0, 0.03])


@pytest.mark.parametrize("std", [0.06, float("nan")])
def test_an_image_without_the_object_is_refused_and_says_what_to_do(std: float) -> None:
    tracker = push_tracker()
    tracker.give(BALL)
    with pytest.raises(SensorError, match=r"does not show 'cube' clearly .*at most 5 cm.*take it anew"):
        tracker.show(pushed((0.5, 0.1, 0.03), (0.4, -0.2, 0.0), std=std))
    assert np.allclose(tracker.seen, BALL)


@pytest.mark.parametrize("source", ["position", "image"])
def test_what_is_seen_is_no_goal_where_that_is_to_be_given(source: str) -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE, GoalSettings(source=source))
    for _ in range(20):
        tracker.add(encoding(BALL))
    assert tracker.target is None
    tracker.give(BALL + 0.1)
    assert np.allclose(tracker.seen, BALL + 0.1)
    tracker.give(None)
    tracker.add(encoding(BALL))
    assert tracker.target is None


def test_what_is_seen_beside_the_workspace_is_no_target_until_it_is_back() -> None:
    tracker = GoalTracker(TASK, make_spec(), WORKSPACE)
    for _ in range(20):
        tracker.add(encoding(np.array([0.9, 0.1, 0.03])))
    assert tracker.target is None
    assert tracker.beside == (
        "at x 0.900, y 0.100 m, beside the arm's workspace: x 0.28 to 0.7, y -0.38 to 0.38 m"
    )
    for _ in range(20):
        tracker.add(encoding(BALL))
    assert tracker.beside == ""
    assert np.allclose(tracker.target, BALL + TASK.goal_offset)


@pytest.mark.parametrize("place", [(0.9, 0.1, 0.03), (0.5, -0.4, 0.03)])
def test_what_is_given_or_shown_beside_the_workspace_is_refused_and_changes_nothing(place) -> None:
    tracker = push_tracker()
    tracker.give(BALL)
    with pytest.raises(SensorError, match=r"the goal is at x .* beside the arm's workspace: x 0.28 to 0.7"):
        tracker.give(np.array(place))
    with pytest.raises(SensorError, match=r"the goal is at x .* beside the arm's workspace"):
        tracker.show(pushed(cube=place, goal=(0.4, -0.2, 0.0)))
    assert np.allclose(tracker.seen, BALL)


def test_a_tool_cannot_be_shown_its_goal() -> None:
    with pytest.raises(ConfigError, match="task 'reach' moves the tool; a goal image needs an object"):
        GoalTracker(TASK, make_spec(), WORKSPACE).show(encoding(BALL))


def test_a_model_that_does_not_read_out_what_is_moved_is_refused() -> None:
    without = tuple(name for name in PUSHED if not name.startswith("cube"))
    with pytest.raises(MismatchError, match="no quantity cube_x, cube_y, cube_z"):
        GoalTracker(PUSH, make_spec(quantities=without, action_dim=2), WORKSPACE)
