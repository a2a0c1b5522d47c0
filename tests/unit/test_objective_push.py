"""Hand-made futures, seen from above: the goal lies at the origin's +x side of the cube."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.config import Box, CostTerm
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.types import Rollout
from tests.fakes import make_spec

BOX = Box(low=(0.0, -0.5, 0.0), high=(1.0, 0.5, 0.6))
CUBE, GOAL = (0.4, 0.0), (0.6, 0.0)
BEHIND, BESIDE, BEFORE = (0.33, 0.0), (0.4, 0.07), (0.47, 0.0)
QUANTITIES = ("cube_x", "cube_y", "cube_z", "tool_x", "tool_y", "tool_z")  # named, so in any order
NONE = np.zeros(2, dtype=np.float32)


def cost(*futures: list[tuple[tuple[float, float], tuple[float, float]]], **options: float) -> np.ndarray:
    """Costs of futures, each a list of (cube, tool) at its read-outs."""
    readouts = np.array([[(*cube, 0.03, *tool, 0.03) for cube, tool in f] for f in futures], np.float32)
    count, steps, _ = readouts.shape
    rollout = Rollout(
        tuple(range(1, steps + 1)), readouts, np.zeros(count, np.float32), np.zeros(9, np.int64), True
    )
    term = CostTerm(name="push", weight=1.0, options=options)
    factory = ObjectiveFactory((term,), make_spec(quantities=QUANTITIES), BOX, "cube")
    goal = np.array([*GOAL, 0.5])  # how high the goal lies is of no interest
    return factory(goal, NONE)(rollout, np.zeros((count, 4, 2), np.float32))


def polar(distance: float, turn: float) -> tuple[float, float]:
    """Tool at a distance from the cube [m], `turn` [rad] off straight behind."""
    return CUBE[0] - distance * np.cos(turn), CUBE[1] + distance * np.sin(turn)


def test_behind_the_cube_is_best_and_before_it_is_worst():
    behind, beside, before = cost(*([(CUBE, tool)] for tool in (BEHIND, BESIDE, BEFORE)))
    assert behind < beside < before


def test_standing_behind_costs_the_cubes_distance_alone():
    assert cost([(CUBE, BEHIND)])[0] == pytest.approx(0.2, abs=0.01)


def test_both_ways_around_cost_the_same():
    left, right = cost(*([(CUBE, polar(0.1, turn))] for turn in (2.0, -2.0)))
    assert left == pytest.approx(right)


def test_the_way_outside_the_disc_is_as_long_as_the_tool_walks():
    """From straight before the cube, distance 2 R: the tangent, then the arc."""
    way = np.sqrt(3) * 0.07 + 0.07 * (np.pi - np.pi / 3)
    options = {"clearance": 0.07, "tolerance": 0.0, "settled": 1e-6, "detour": 1.0}
    far, there = cost([(CUBE, polar(0.14, np.pi))], [(CUBE, BEHIND)], **options)
    assert far - there == pytest.approx(way, rel=1e-3)


def test_a_straight_way_is_straight():
    options = {"tolerance": 0.0, "settled": 1e-6, "detour": 1.0}
    far, there = cost([(CUBE, (0.18, 0.0))], [(CUBE, BEHIND)], **options)
    assert far - there == pytest.approx(0.15, rel=1e-3)


def test_on_the_wrong_side_the_tool_steps_back_from_the_cube():
    touching, clear = cost([(CUBE, polar(0.045, np.pi))], [(CUBE, polar(0.07, np.pi))])
    assert clear < touching


@pytest.mark.parametrize("turn", [1.0, 2.0, np.pi])
def test_contact_on_the_wrong_side_costs_as_many_times_its_depth_as_it_is_told(turn):
    poses = [[(CUBE, polar(distance, turn))] for distance in (0.045, 0.07)]
    once, often = (np.subtract(*cost(*poses, detour=1.0, settled=1e-6, astray=w)) for w in (1.0, 6.0))
    assert once == pytest.approx(0.025, rel=0.02)
    assert often == pytest.approx(6 * 0.025, rel=0.02)


def test_behind_it_touching_is_free():
    touching, clear = cost([(CUBE, polar(0.045, 0.1))], [(CUBE, polar(0.07, 0.1))])
    assert touching == pytest.approx(clear)


def test_the_cost_has_no_steps():
    """Going round on the disc's rim, and out through it at any angle."""
    turns = np.linspace(0, np.pi, 400)
    for distance in (0.05, 0.0699, 0.0701, 0.1):
        around = cost(*([(CUBE, polar(distance, turn))] for turn in turns))
        assert np.abs(np.diff(around)).max() < 1e-3
    for turn in (0.1, 0.6, 1.5, 3.0):
        out = cost(*([(CUBE, polar(distance, turn))] for distance in np.linspace(0.03, 0.2, 400)))
        assert np.abs(np.diff(out)).max() < 1e-3


def test_a_push_that_works_is_better_than_going_around_once_more():
    pushed = [((0.42, 0.0), (0.375, 0.0)), ((0.5, 0.0), (0.455, 0.0))]
    waiting = [(CUBE, BEHIND)] * 2
    assert cost(pushed, waiting).argmin() == 0


def test_pushing_too_far_is_worse_than_stopping_at_the_goal():
    stops = [((0.58, 0.0), (0.535, 0.0)), (GOAL, (0.555, 0.0))]
    overshoots = [(GOAL, (0.555, 0.0)), ((0.66, 0.0), (0.615, 0.0))]
    assert cost(stops, overshoots).argmin() == 0


@pytest.mark.parametrize("tool", [BEHIND, (0.65, 0.1), (0.3, 0.3)])
def test_a_cube_at_its_goal_is_left_alone_wherever_the_tool_is(tool):
    assert cost([(GOAL, tool)])[0] == pytest.approx(0.0, abs=1e-6)


def test_near_the_goal_where_the_tool_is_hardly_counts():
    near = (GOAL[0] - 0.005, 0.0)
    before, behind = cost([(near, (0.66, 0.0))], [(near, (0.53, 0.0))])
    assert before - behind < 0.005


def test_a_cube_near_the_border_is_brought_back_first():
    """Farther from the goal, but where the tool gets behind it again."""
    lost, back = (0.6, 0.48), (0.83, 0.43)
    assert cost([(lost, BEHIND)], [(back, BEHIND)], detour=0.0).argmin() == 1
    assert cost([(lost, BEHIND)], [(back, BEHIND)], detour=0.0, stray=0.0).argmin() == 0


def test_the_last_read_out_weighs_most():
    there, away = (GOAL, (0.555, 0.0)), (CUBE, BEHIND)
    arriving, leaving = cost([away, there], [there, away])
    assert arriving < leaving
