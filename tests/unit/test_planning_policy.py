"""A policy as the plan itself, and as what the sampling planner starts from as well."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopwm_ros.config import Box, CostTerm
from loopwm_ros.errors import ConfigError
from loopwm_ros.planning.budget import TimeBudget
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.planning.sampling import sample_actions, smooth_basis, with_proposal
from loopwm_ros.planning.search import make_planner
from loopwm_ros.planning.settings import PlannerSettings
from loopwm_ros.types import F32, F64
from tests.fakes import FakeClock, KinematicModel

BOX = Box(low=(0.25, -0.45, 0.03), high=(0.75, 0.45, 0.65))
START, GOAL = (0.45, 0.0, 0.5), np.array([0.6, -0.2, 0.07])
STILL = np.zeros(3, dtype=np.float32)


class StraightPolicy:
    """Goes straight to the goal at full speed; takes `seconds` of the model's clock to say so."""

    def __init__(self, model: KinematicModel, seconds: float = 0.0) -> None:
        self.model, self.seconds, self.asked = model, seconds, 0

    def propose(self, state: F32, goal: F64, steps: int) -> F32:
        self.asked += 1
        self.model.clock.now += self.seconds
        spec = self.model.spec
        actions = np.zeros((steps, spec.action_dim), dtype=np.float32)
        tool = state[0, :3].astype(np.float64)
        for step in range(steps):
            wanted = (goal - tool) / (spec.max_tool_speed * spec.model_period)
            actions[step] = wanted / max(1.0, float(np.abs(wanted).max()))
            tool += actions[step] * spec.max_tool_speed * spec.model_period
        return actions


def objective(model: KinematicModel):
    terms = (CostTerm(name="reach", weight=1.0), CostTerm(name="effort", weight=0.002))
    return ObjectiveFactory(terms, model.spec, BOX)(GOAL, STILL)


def make(seconds: float = 0.0, model: KinematicModel | None = None, **settings: object):
    model = model or KinematicModel()
    policy = StraightPolicy(model, seconds)
    planner = make_planner(PlannerSettings.model_validate(settings), model, model.clock, policy)
    return planner, model, policy


def test_the_policy_alone_is_the_plan():
    planner, model, policy = make(kind="policy", horizon=4)
    planner.reset(0)
    plan = planner.plan(model.at(START), objective(model), 1, None)
    assert np.array_equal(plan.actions, policy.propose(model.at(START), GOAL, 4))
    assert (plan.candidates, plan.refinements) == (1, 1)
    led = np.asarray(START) + plan.actions.sum(axis=0) * model.spec.max_tool_speed * model.spec.model_period
    np.testing.assert_allclose(plan.imagined[-1, :3], led, atol=1e-5)
    assert math.isfinite(plan.cost)


def test_the_policy_answers_even_without_time_to_imagine():
    planner, model, _ = make(model=KinematicModel(seconds_per_loop=1.0), kind="policy", horizon=4)
    plan = planner.plan(model.at(START), objective(model), 1, model.clock.now + 0.01)
    assert plan.actions.shape == (4, 3)
    assert np.abs(plan.actions).max() == pytest.approx(1.0)
    assert math.isnan(plan.cost)
    assert plan.imagined.shape == (0, 6)


@pytest.mark.parametrize("kind", ["mppi", "cem"])
def test_a_good_proposal_makes_a_better_first_plan(kind):
    few = {"kind": kind, "refinements": 1, "candidates": 16, "elites": 2, "proposed": 4}
    costs = {}
    for proposal in ("none", "policy"):
        planner, model, policy = make(**few, proposal=proposal)
        rolled = [planner.plan(model.at(START), objective(model), 1, None).actions for _ in range(1)]
        scored = model.rollout(model.at(START), np.stack(rolled), 0, None)
        costs[proposal] = objective(model)(scored, np.stack(rolled))[0]
        assert policy.asked == (proposal == "policy")
    assert costs["policy"] < costs["none"]


class BrokenPolicy:
    """Answers with what is no number."""

    def propose(self, state: F32, goal: F64, steps: int) -> F32:
        return np.full((steps, 3), np.nan, dtype=np.float32)


@pytest.mark.parametrize("kind", ["mppi", "cem"])
def test_a_proposal_that_is_not_finite_is_left_out(kind):
    plans = []
    for policy, proposal in ((None, "none"), (BrokenPolicy(), "policy")):
        model = KinematicModel()
        settings = PlannerSettings.model_validate({"kind": kind, "proposal": proposal})
        planner = make_planner(settings, model, model.clock, policy)
        planner.reset(0)
        plans.append(planner.plan(model.at(START), objective(model), 1, None).actions)
    assert np.isfinite(plans[1]).all()
    assert np.array_equal(plans[0], plans[1]), "as if there were no policy"


def test_a_policy_that_is_not_finite_stands_still():
    model = KinematicModel()
    settings = PlannerSettings(kind="policy", horizon=4)
    plan = make_planner(settings, model, model.clock, BrokenPolicy()).plan(
        model.at(START), objective(model), 1, None
    )
    assert not plan.actions.any()


def test_the_random_stream_is_the_same_without_a_proposal():
    plans = []
    for proposal in ({}, {"proposal": "none", "proposed": 3}):
        planner, model, _ = make(**proposal)
        plans.append(planner.plan(model.at(START), objective(model), 1, None))
    assert np.array_equal(plans[0].actions, plans[1].actions)


def test_a_proposal_takes_the_place_of_the_last_candidates():
    basis, random = smooth_basis(6, 3), np.random.default_rng(0)
    actions = sample_actions(np.zeros((6, 2), np.float32), np.ones((6, 2), np.float32), basis, 20, random)
    proposal = np.full((6, 2), 0.9, dtype=np.float32)
    mixed = with_proposal(actions, proposal, 5, 0.2, basis, random)
    assert mixed.shape == actions.shape
    assert mixed.dtype == np.float32
    assert np.array_equal(mixed[:15], actions[:15])
    assert np.array_equal(mixed[15], proposal)
    assert np.abs(mixed[16:] - proposal).max() > 0.01
    assert np.abs(mixed[16:] - proposal).mean() < 0.3
    assert np.abs(mixed).max() <= 1.0
    half = with_proposal(actions[:4], proposal, 5, 0.2, basis, random)
    assert np.array_equal(half[:2], actions[:2])


def test_a_planner_that_needs_a_policy_says_so():
    model = KinematicModel()
    for settings in (PlannerSettings(kind="policy"), PlannerSettings(proposal="policy")):
        with pytest.raises(ConfigError, match=r"has no policy.*planner mppi or cem"):
            make_planner(settings, model, model.clock)


def test_the_policy_is_asked_only_when_there_is_time():
    clock = FakeClock()
    settings = PlannerSettings(candidates=64, fewer_candidates=(16,), fewer_loops=(1,), refinements=1)
    budget = TimeBudget(settings, lambda candidates, *_: candidates * 0.001, clock)
    assert budget.allows_proposal(None)
    assert budget.allows_proposal(clock.now + 0.019)
    for _ in range(30):
        budget.proposed(0.01)
    assert not budget.allows_proposal(clock.now + 0.02)
    assert budget.allows_proposal(clock.now + 0.05)
    asked = [budget.allows_proposal(clock.now + 0.02) for _ in range(30)]
    assert not asked[0]
    assert asked[-1], "a figure from a bad moment is tried again"
    assert not budget.allows_proposal(clock.now + 0.017), "there is no time for the search itself"


def test_a_slow_policy_is_dropped_before_the_search_is():
    model = KinematicModel(seconds_per_loop=1e-5)
    planner, model, policy = make(
        0.05, model, proposal="policy", refinements=1, candidates=64, fewer_loops=(1,), fewer_candidates=(16,)
    )
    for _ in range(3):
        plan = planner.plan(model.at(START), objective(model), 1, model.clock.now + 0.03)
    assert policy.asked == 1
    assert plan.refinements == 1
