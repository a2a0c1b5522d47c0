"""What may be asked for together."""

from __future__ import annotations

import pytest

from loopwm_ros.bullet.disturb import DISTURBANCES
from loopwm_ros.config import load_arm, load_task, load_world
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.request import RunRequest

PUSH, REACH = load_task("push"), load_task("reach")
BLOCK = PUSH.objects["goal"].model_copy(update={"shape": "box"})
SOLID = PUSH.model_copy(update={"objects": PUSH.objects | {"goal": BLOCK}})


def request(**changes: object) -> RunRequest:
    values = {"arm": load_arm("panda_rod"), "task": PUSH, "world": load_world(PUSH.world)}
    values |= {"controller": "mpc", "episodes": 1, "seed": 0}
    return RunRequest(**(values | changes))


def test_all_disturbances_come_in_turn() -> None:
    made = request(disturb="all")
    assert [made.disturbance(i) for i in range(5)] == [*DISTURBANCES, DISTURBANCES[0]]
    assert request(disturb="goal_moved").disturbance(3) == "goal_moved"
    assert request().disturbance(0) is None


def test_a_mark_is_hidden_where_the_goal_is_given() -> None:
    assert request().hidden == ()
    assert request(goal="position").hidden == ("goal",)
    assert request(goal="image").hidden == ("goal",)
    assert request(task=REACH, goal="position").hidden == (), "what lies on the table stays there"


def test_a_budget_is_for_who_plans_by_a_deadline() -> None:
    assert request(plan_budget=0.02).plan_budget == 0.02
    with pytest.raises(ConfigError, match="'scripted' keeps to no plan_budget"):
        request(controller="scripted", plan_budget=0.02)
    with pytest.raises(ConfigError, match="plan_budget is -1 s; expected more than 0"):
        request(plan_budget=-1.0)


def test_the_controller_knows_where_its_goal_comes_from() -> None:
    assert request().controller_settings.goal.source == "seen"
    assert request(goal="image").controller_settings.goal.source == "image"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goal": "heard"}, "seen, position, image"),
        ({"goal": "image", "task": REACH}, "moves no object"),
        ({"goal": "position", "controller": "scripted"}, "takes no goal"),
        ({"goal": "image", "disturb": "goal_moved"}, "cannot be moved"),
        ({"goal": "position", "disturb": "all"}, "cannot be moved"),
        ({"goal": "position", "disturb": "object_moved", "task": REACH}, "cannot be moved"),
        ({"engine": "newton"}, "engine is 'newton'; expected one of bullet, mujoco"),
        ({"engine": "mujoco", "controller": "simulator"}, "leave out --engine"),
        ({"goal": "image", "task": SOLID}, "has a solid goal, 'goal'.*needs a goal of shape mark"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        request(**changes)
