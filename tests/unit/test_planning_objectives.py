from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import Box, CostTerm, load_task
from loopwm_ros.errors import ConfigError
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.types import Rollout
from tests.fakes import make_spec

BOX = Box(low=(0.2, -0.5, 0.0), high=(0.8, 0.5, 0.6))
GOAL = np.array([0.5, 0.0, 0.1])
STILL = np.zeros(3, dtype=np.float32)


def rollout(tool: np.ndarray) -> Rollout:
    """Read-outs (candidates, steps, 3) of the tool; the ball is of no interest."""
    readouts = np.concatenate([tool, np.zeros_like(tool)], axis=2).astype(np.float32)
    count, steps = tool.shape[:2]
    return Rollout(
        tuple(range(1, steps + 1)), readouts, np.zeros(count, np.float32), np.zeros(9, np.int64), True
    )


def cost(name: str, tool: np.ndarray, actions: np.ndarray | None = None, now=STILL, **options: float):
    factory = ObjectiveFactory((CostTerm(name=name, weight=1.0, options=options),), make_spec(), BOX)
    actions = np.zeros((len(tool), 4, 3), dtype=np.float32) if actions is None else actions
    return factory(GOAL, now)(rollout(tool), actions)


def along_x(*offsets: float) -> np.ndarray:
    """One candidate per offset from the goal [m], the same at both read-outs."""
    return np.array([[GOAL + np.array([d, 0, 0])] * 2 for d in offsets])


def test_reach_is_the_distance_far_away_and_quadratic_near():
    far = cost("reach", along_x(0.4, 0.3), precision=0.01)
    assert far[0] - far[1] == pytest.approx(0.1, rel=0.01)
    at, half, near = cost("reach", along_x(0.0, 0.001, 0.002), precision=0.01)
    assert at == pytest.approx(0.0, abs=1e-6)
    assert near / half == pytest.approx(4.0, rel=0.05)


def test_reach_weighs_the_last_readout_most():
    near, far = GOAL, GOAL + np.array([0.2, 0, 0])
    arriving, leaving = cost("reach", np.array([[far, near], [near, far]]))
    assert arriving < leaving


def test_reach_reads_the_tool_by_name():
    spec = make_spec(quantities=("ball_x", "tool_z", "tool_y", "tool_x"))
    factory = ObjectiveFactory((CostTerm(name="reach", weight=1.0),), spec, BOX)
    readouts = np.array([[[9.0, GOAL[2], GOAL[1], GOAL[0]]]], dtype=np.float32)
    there = Rollout((1,), readouts, np.zeros(1, np.float32), np.zeros(9, np.int64), True)
    assert factory(GOAL, STILL)(there, np.zeros((1, 1, 3), np.float32))[0] == pytest.approx(0.0, abs=1e-6)


def test_effort_is_the_mean_squared_action():
    actions = np.zeros((2, 4, 3), dtype=np.float32)
    actions[1, 0] = (1.0, 0.0, 1.0)
    assert cost("effort", along_x(0, 0), actions) == pytest.approx([0.0, 0.5])


def test_smoothness_counts_the_change_from_the_action_being_executed():
    now = np.array([0.5, 0.0, 0.0], dtype=np.float32)
    going_on = np.broadcast_to(now, (4, 3))
    actions = np.stack([going_on, np.zeros((4, 3))]).astype(np.float32)
    assert cost("smoothness", along_x(0, 0), actions, now) == pytest.approx([0.0, 0.25 / 4])


def test_workspace_costs_nothing_inside_and_the_distance_outside():
    inside, below, corner = (0.5, 0.0, 0.3), (0.5, 0.0, -0.1), (0.83, 0.54, 0.3)
    tool = np.array([[p] for p in (inside, below, corner)])
    assert cost("workspace", tool, margin=0.0) == pytest.approx([0.0, 0.1, 0.05], abs=1e-6)
    assert cost("workspace", tool, margin=0.01)[1] == pytest.approx(0.11, abs=1e-6)


def test_terms_add_up_by_weight():
    terms = (CostTerm(name="reach", weight=2.0), CostTerm(name="effort", weight=3.0))
    actions = np.full((1, 4, 3), 0.5, dtype=np.float32)
    total = ObjectiveFactory(terms, make_spec(), BOX)(GOAL, STILL)(rollout(along_x(0.1)), actions)
    expected = 2 * cost("reach", along_x(0.1)) + 3 * cost("effort", along_x(0.1), actions)
    assert total == pytest.approx(expected)


def test_unknown_term_names_the_valid_ones():
    valid = "effort, others, push, reach, smoothness, workspace"
    with pytest.raises(ConfigError, match=f"'rech'; valid: {valid}"):
        ObjectiveFactory((CostTerm(name="rech", weight=1.0),), make_spec(), BOX)


@pytest.mark.parametrize(
    ("options", "message"), [({"precison": 0.1}, "precison"), ({"precision": -1.0}, "greater")]
)
def test_bad_option_names_the_valid_ones(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        ObjectiveFactory((CostTerm(name="reach", weight=1.0, options=options),), make_spec(), BOX)
    assert "options: precision, final_weight" in str(caught.value)


def test_a_model_that_does_not_read_the_tool_is_refused_before_planning():
    with pytest.raises(ConfigError, match="tool_x"):
        ObjectiveFactory((CostTerm(name="reach", weight=1.0),), make_spec(quantities=("ball_x",)), BOX)


def test_others_cost_how_far_they_move_between_readouts_and_nothing_else_does():
    quantities = ("cube_y", "blue_x", "tool_x", "blue_y", "tool_y", "tool_z", "cube_x", "cube_z")
    spec = make_spec(quantities=quantities)
    term = CostTerm(name="others", weight=2.0)
    factory = ObjectiveFactory((term,), spec, BOX, "cube", others=("blue", "unread"))
    readouts = np.zeros((4, 3, len(quantities)), dtype=np.float32)
    readouts[0, :, quantities.index("blue_x")] = 0.4, 0.43, 0.43
    readouts[0, :, quantities.index("blue_y")] = 0.1, 0.14, 0.14
    readouts[1, :, quantities.index("cube_x")] = 0.4, 0.5, 0.6
    readouts[2, :, quantities.index("tool_y")] = 0.0, 0.1, 0.2
    moved = Rollout((4, 8, 12), readouts, np.zeros(4, np.float32), np.zeros(9, np.int64), True)
    actions = np.zeros((4, 12, 2), np.float32)
    assert factory(GOAL, STILL[:2])(moved, actions) == pytest.approx([2.0 * 0.05 / 2, 0.0, 0.0, 0.0])
    once = Rollout((12,), readouts[:, :1], np.zeros(4, np.float32), np.zeros(9, np.int64), True)
    assert factory(GOAL, STILL[:2])(once, actions) == pytest.approx(np.zeros(4))


def test_what_else_can_be_moved_is_in_the_task():
    assert load_task("clutter").others == ("blue", "yellow")
    assert load_task("push").others == ()
