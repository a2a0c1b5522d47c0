from __future__ import annotations

import numpy as np
import pytest
from recordings import arm, task

from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data.behaviours import NEAR, SHARES, RandomGoals, build_behaviour, draw_behaviour
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import JointState

BALL = np.array([0.5, 0.0, 0.1])


def test_behaviours_are_drawn_by_their_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_behaviour(rng, {"reach": 3.0, "random": 1.0}) for _ in range(400)]
    assert 0.68 < drawn.count("reach") / 400 < 0.82


def test_an_unknown_behaviour_is_refused() -> None:
    with pytest.raises(ConfigError, match="'dance'; valid: goals, random, reach"):
        build_behaviour(
            "dance", np.random.default_rng(0), Kinematics(arm()), arm(), task(), 0.05, lambda: BALL
        )


@pytest.mark.parametrize("name", SHARES)
def test_a_behaviour_depends_only_on_its_stream(name: str) -> None:
    def first_motions() -> np.ndarray:
        rng = np.random.default_rng(5)
        controller = build_behaviour(name, rng, Kinematics(arm()), arm(), task(), 0.05, lambda: BALL)
        controller.reset(3, 0.0, JointState(0.0, np.asarray(arm().home), np.zeros(7)))
        return np.stack([controller.tick(0.05 * k).positions[1] for k in range(4)])

    first = first_motions()
    np.testing.assert_array_equal(first, first_motions())
    assert np.abs(np.diff(first, axis=0)).max() > 1e-4


def test_random_goals_change_stay_inside_and_are_often_near_the_ball() -> None:
    box = arm().workspace
    goals = RandomGoals(np.random.default_rng(1), box, lambda: BALL)
    points = np.unique([goals() for _ in range(5000)], axis=0)
    assert 100 < len(points) < 300
    assert (points >= box.low).all()
    assert (points <= box.high).all()
    near = (np.abs(points - BALL) <= NEAR).all(axis=1).mean()
    assert 0.4 < near < 0.65
