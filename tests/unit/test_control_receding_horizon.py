"""Delay compensation, timing of plans, and what happens when the goal is not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loopwm_ros.control.goal import GoalTracker
from loopwm_ros.types import Encoding, JointState, Observation
from tests.fakes import make_spec
from tests.loops import ARM, BALL, KINEMATICS, MODEL_PERIOD, TASK, Loop, SeeingModel


def test_reaches_the_goal_and_stays() -> None:
    loop = Loop(SeeingModel())
    for k in range(40):
        loop.slot(k * MODEL_PERIOD)
    assert loop.distance() < 0.01
    for k in range(40, 50):
        loop.slot(k * MODEL_PERIOD)
        assert loop.distance() < 0.012


@pytest.mark.parametrize("period", [0.025, 0.02])
def test_commands_may_go_out_at_another_rate_than_that_of_the_recordings(period: float) -> None:
    loop = Loop(SeeingModel(), period=period)
    for k in range(40):
        loop.slot(k * MODEL_PERIOD)
        assert loop.due.fresh or k == 0
    assert loop.distance() < 0.012
    spacing = np.diff(loop.due.trajectory.offsets)
    assert np.allclose(spacing[: round(3 * MODEL_PERIOD / period)], period), "a point for each command"


def test_latent_is_rolled_through_the_commands_on_their_way() -> None:
    loop = Loop(SeeingModel(), latency=0.1)
    for k in range(8):
        loop.slot(k * MODEL_PERIOD)
    bridged = loop.model.bridged[-1]
    assert len(bridged) == 2  # 0.1 s old observation, effect 0.1 s ahead
    assert loop.report.delay == pytest.approx(0.2)
    spec = loop.model.spec
    moved = bridged.sum(axis=0) * spec.max_tool_speed * spec.model_period
    effect = loop.report.slot + MODEL_PERIOD
    start = KINEMATICS.tool_position(
        loop.positions[min(loop.positions, key=lambda t: abs(t - (effect - 0.2)))]
    )
    assert np.linalg.norm(moved) > 0.01
    assert np.allclose(start + moved, KINEMATICS.tool_position(loop.position), atol=2e-3)


def test_a_late_plan_is_reported_and_the_arm_comes_to_rest() -> None:
    loop = Loop(SeeingModel())
    for k in range(5):
        loop.slot(k * MODEL_PERIOD)
    assert loop.due.fresh
    loop.slot(0.5, plan=False)  # the plan made in slot 0.4 is due here
    assert loop.due.fresh
    for k in range(6, 16):
        loop.slot(k * MODEL_PERIOD, plan=False)
        assert not loop.due.fresh
    before = loop.position
    loop.slot(1.6, plan=False)
    assert np.allclose(loop.position, before)


def test_unseen_goal_holds_still() -> None:
    loop = Loop(SeeingModel(std=1.0))
    for k in range(5):
        loop.slot(k * MODEL_PERIOD)
        assert loop.report.plan is None
        assert loop.due.fresh
    assert np.allclose(loop.position, KINEMATICS.home, atol=0.03)


def test_plans_continue_from_what_was_really_sent() -> None:
    loop = Loop(SeeingModel())
    loop.slot(0.0)
    shifted = loop.position.copy()
    shifted[0] += 0.3
    loop.horizon.add_command(0.1 + 1e-3, shifted)
    observation = Observation(0.1, np.zeros((6, 8, 3), np.uint8), JointState(0.1, shifted, np.zeros(7)))
    loop.horizon.plan(observation, 0.1, None)
    start = loop.horizon.command(0.2).trajectory.positions[0]
    assert start[0] == pytest.approx(shifted[0], abs=0.02)


def test_goal_ignores_one_wrong_reading() -> None:
    spec = make_spec()
    tracker = GoalTracker(TASK, spec, ARM.workspace)
    good = Encoding(np.zeros((4, 64), np.float32), np.array([0, 0, 0, *BALL], np.float32), np.full(6, 0.002))
    assert tracker.seen is None
    for _ in range(4):
        tracker.add(good)
    tracker.add(replace(good, reading=good.reading + 1.0))
    assert tracker.seen is not None
    assert np.allclose(tracker.seen, BALL, atol=1e-6)


@pytest.mark.parametrize("shift", [-1e-9, 0.0, 1e-9])
def test_a_delay_halfway_between_transitions_is_always_bridged_the_same(shift: float) -> None:
    loop = Loop(SeeingModel(), latency=0.05)
    for k in range(8):
        loop.latency = 0.05 + shift
        loop.slot(k * MODEL_PERIOD)
    assert len(loop.model.bridged[-1]) == 2
    assert np.all(np.abs(loop.model.bridged[-1]) <= 1.0)


def test_warm_starts_are_shifted_by_slots_without_a_plan_too() -> None:
    model = SeeingModel()
    loop = Loop(model)
    elapsed: list[int] = []
    plan = loop.horizon._planner.plan
    loop.horizon._planner.plan = lambda *given: (elapsed.append(given[2]), plan(*given))[1]
    for k in range(4):
        loop.slot(k * MODEL_PERIOD)
    loop.slot(0.4, plan=False)
    loop.slot(0.5)
    assert elapsed[-3:] == [1, 1, 2]
    loop.horizon._goal.clear()  # the ball is hidden: one more slot without a plan
    loop.slot(0.6)
    loop.slot(0.7)
    assert elapsed[-2:] == [2, 2]


def test_a_clock_that_jumped_back_begins_anew_where_the_arm_is() -> None:
    loop = Loop(SeeingModel())
    for k in range(100, 106):
        loop.slot(k * MODEL_PERIOD)
    reset: list[int] = []
    begin = loop.horizon._planner.reset
    loop.horizon._planner.reset = lambda seed: (reset.append(seed), begin(seed))[1]
    where = loop.position.copy()
    loop.positions = {0.0: where}
    loop.slot(0.0)
    assert reset == [0]
    assert np.allclose(loop.due.trajectory.positions, where), "it holds where it is"
    assert loop.report.delay == pytest.approx(MODEL_PERIOD)
    for k in range(1, 40):
        loop.slot(k * MODEL_PERIOD)
    assert reset == [0]
    assert loop.due.trajectory.stamp == pytest.approx(3.9)
    assert loop.distance() < 0.01
