"""Behaviours of data collection: a mixture, each depending on its own random stream alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from recordings import arm, task

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.control.baselines import RandomController, ScriptedController
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.pushing import PushingController
from loopwm_ros.data.behaviours import (
    GOAL_PERIOD,
    NEAR,
    PUSHING,
    REACHING,
    THROUGH,
    Chains,
    RandomGoals,
    build_behaviour,
    draw_behaviour,
)
from loopwm_ros.errors import ConfigError

BALL = np.array([0.5, 0.0, 0.1])
ROD = load_arm("panda_rod")
SETUPS = {
    "reach": (arm(), task()),
    "push": (ROD, load_task("push")),
    "clutter": (ROD, load_task("clutter")),
}
CASES = [("reach", name) for name in REACHING] + [("push", name) for name in PUSHING]
CASES += [("clutter", "chains")]


@pytest.fixture(scope="module")
def cells() -> Iterator[dict[str, BulletCell]]:
    made = {name: BulletCell(a, t, load_world(t.world)) for name, (a, t) in SETUPS.items()}
    yield made
    for cell in made.values():
        cell.close()


def behaviour(name: str, setup: str, cells: dict[str, BulletCell], seed: int = 5) -> Controller:
    arm, task = SETUPS[setup]
    rng = np.random.default_rng(seed)
    return build_behaviour(name, rng, Kinematics(arm), arm, task, 0.05, cells[setup])


def test_behaviours_are_drawn_by_their_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_behaviour(rng, {"reach": 3.0, "random": 1.0}) for _ in range(400)]
    assert 0.68 < drawn.count("reach") / 400 < 0.82


def test_an_unknown_behaviour_is_refused(cells: dict[str, BulletCell]) -> None:
    valid = "chains, goals, plans, push, pushes, random, reach"
    with pytest.raises(ConfigError, match=f"'dance'; valid: {valid}"):
        behaviour("dance", "reach", cells)


@pytest.mark.parametrize(("setup", "name"), CASES)
def test_a_behaviour_depends_only_on_its_stream(cells: dict[str, BulletCell], setup: str, name: str) -> None:
    cells[setup].reset(2)

    def first_motions(seed: int) -> np.ndarray:
        controller = behaviour(name, setup, cells, seed)
        controller.reset(3, 0.0, cells[setup].joint_state())
        return np.stack([controller.tick(0.05 * k).positions[1] for k in range(4)])

    first = first_motions(5)
    np.testing.assert_array_equal(first, first_motions(5))
    assert np.abs(np.diff(first, axis=0)).max() > 1e-4
    assert not np.array_equal(first, first_motions(6))


@pytest.mark.parametrize(
    ("setup", "name", "kind"),
    [
        ("reach", "random", RandomController),
        ("reach", "reach", ScriptedController),
        ("push", "random", RandomController),
        ("push", "push", PushingController),
        ("push", "pushes", PushingController),
    ],
)
def test_each_name_is_its_controller(
    cells: dict[str, BulletCell], setup: str, name: str, kind: type[Controller]
) -> None:
    assert type(behaviour(name, setup, cells)) is kind


def test_pushes_go_to_many_places_in_the_object_s_range_and_a_push_to_the_goal(
    cells: dict[str, BulletCell],
) -> None:
    cell, ranges = cells["push"], SETUPS["push"][1].objects["cube"]
    cell.reset(2)
    push = behaviour("push", "push", cells)
    assert isinstance(push, PushingController)
    points = cell.truth().points
    np.testing.assert_array_equal(push._places(), [points["cube"], points["goal"]])
    pushes = behaviour("pushes", "push", cells)
    assert isinstance(pushes, PushingController)
    goals = np.unique([pushes._places()[1] for _ in range(1000)], axis=0)
    assert 10 < len(goals) < 100
    assert goals[:, 0].min() >= ranges.x[0]
    assert goals[:, 0].max() <= ranges.x[1]
    assert goals[:, 1].min() >= ranges.y[0]
    assert goals[:, 1].max() <= ranges.y[1]
    assert np.ptp(goals[:, 1]) > 0.2


def test_random_goals_change_stay_inside_and_are_often_near_the_ball() -> None:
    low, high = np.asarray(arm().workspace.low), np.asarray(arm().workspace.high)
    goals = RandomGoals(np.random.default_rng(1), low, high, lambda: BALL, GOAL_PERIOD)
    points = np.unique([goals() for _ in range(5000)], axis=0)
    assert 100 < len(points) < 300
    assert (points >= low).all()
    assert (points <= high).all()
    near = (np.abs(points - BALL) <= NEAR).all(axis=1).mean()
    assert 0.4 < near < 0.65


def test_a_chain_needs_two_objects(cells: dict[str, BulletCell]) -> None:
    with pytest.raises(ConfigError, match="'chains' needs two objects that can be pushed; task 'push' has 1"):
        behaviour("chains", "push", cells)


def test_a_chain_pushes_one_object_through_another_or_to_a_point() -> None:
    low, high = np.array([0.3, -0.2, 0.0]), np.array([0.6, 0.2, 0.0])
    points = {
        "a": np.array([0.4, 0.0, 0.03]),
        "b": np.array([0.5, 0.1, 0.03]),
        "c": np.array([0.4, 0.2, 0.03]),
    }
    chains = Chains(np.random.default_rng(0), dict.fromkeys(points, (low, high)), lambda: points)
    through, pushed = 0, set()
    for _ in range(5000):
        here, target = chains()
        pushed.add(next(name for name, point in points.items() if np.array_equal(point, here)))
        for other in points.values():
            way = other - here
            if way.any() and np.allclose(target, other + THROUGH * way / np.linalg.norm(way)):
                through += 1
                break
        else:
            assert ((target >= low) & (target <= high)).all()
    assert pushed == set(points)
    assert 0.3 < through / 5000 < 0.7
