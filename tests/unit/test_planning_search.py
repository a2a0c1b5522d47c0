from __future__ import annotations

import itertools

import numpy as np
import pytest

from loopwm_ros.config import Box, CostTerm
from loopwm_ros.planning.objectives import ObjectiveFactory
from loopwm_ros.planning.search import SamplingPlanner, make_planner
from loopwm_ros.planning.settings import PlannerSettings
from tests.fakes import FakeClock, KinematicModel

BOX = Box(low=(0.25, -0.45, 0.03), high=(0.75, 0.45, 0.65))
TERMS = (
    CostTerm(name="reach", weight=1.0),
    CostTerm(name="effort", weight=0.002),
    CostTerm(name="smoothness", weight=0.005),
)
START, GOAL = (0.45, 0.0, 0.5), np.array([0.6, -0.2, 0.07])
STILL = np.zeros(3, dtype=np.float32)
KINDS = pytest.mark.parametrize("kind", ["mppi", "cem"])


def objective(model: KinematicModel, now=STILL):
    return ObjectiveFactory(TERMS, model.spec, BOX)(GOAL, now)


def make(model: KinematicModel | None = None, **settings: object) -> tuple[SamplingPlanner, KinematicModel]:
    model = model or KinematicModel()
    return make_planner(PlannerSettings.model_validate(settings), model, model.clock), model


def drive(planner: SamplingPlanner, model: KinematicModel, replans: int) -> list[float]:
    """Distance to the goal [m] after each replan, its first action executed."""
    state, now, distances = model.at(START), STILL, []
    for _ in range(replans):
        now = planner.plan(state, objective(model, now), 1, None).actions[0]
        state = model.advance(state, now[None])
        distances.append(float(np.linalg.norm(state[0, :3] - GOAL)))
    return distances


@pytest.mark.parametrize(("kind", "refinements", "worst"), [("mppi", 2, 0.004), ("cem", 4, 0.01)])
def test_reaches_the_goal_and_stays(kind, refinements, worst):
    planner, model = make(kind=kind, refinements=refinements)
    for seed in range(3):
        planner.reset(seed)
        assert max(drive(planner, model, 40)[25:]) < worst


@KINDS
def test_same_seed_same_plan_and_another_seed_another(kind):
    planner, model = make(kind=kind)
    plans = []
    for seed in (7, 7, 8):
        planner.reset(seed)
        plans.append(planner.plan(model.at(START), objective(model), 1, None))
    assert np.array_equal(plans[0].actions, plans[1].actions)
    assert plans[0].cost == plans[1].cost
    assert not np.array_equal(plans[0].actions, plans[2].actions)


@KINDS
def test_actions_and_bookkeeping(kind):
    planner, model = make(kind=kind, noise=3.0, candidates=20, refinements=3, horizon=6)
    plan = planner.plan(model.at(START), objective(model), 1, None)
    assert plan.actions.shape == (6, 3)
    assert plan.actions.dtype == np.float32
    assert np.abs(plan.actions).max() <= 1.0
    assert (plan.candidates, plan.refinements) == (20, 3)
    assert plan.loops.sum() == 3 * 20 * 6
    assert plan.loops.shape == (model.spec.max_loops + 1,)


def test_imagined_is_where_the_plan_leads():
    planner, model = make(refinements=4)
    plan = planner.plan(model.at(START), objective(model), 1, None)
    led = np.asarray(START) + plan.actions.sum(axis=0) * model.spec.max_tool_speed * model.spec.model_period
    assert plan.imagined.shape == (4, 6)
    assert plan.imagined[-1, :3] == pytest.approx(led, abs=1e-4)


def test_the_warm_start_is_the_last_plan_shifted_by_what_has_passed():
    planner, model = make()
    first = planner.plan(model.at(START), objective(model), 1, None)
    late = planner.plan(model.at(START), objective(model), 3, model.clock.now - 1.0)
    assert late.refinements == 0
    assert late.candidates == 0
    assert np.isnan(late.cost)
    assert np.array_equal(late.actions[:5], first.actions[3:])
    assert not late.actions[5:].any()


@pytest.mark.parametrize("elapsed", [8, 50])
def test_a_plan_wholly_in_the_past_leaves_standing_still(elapsed):
    planner, model = make()
    planner.plan(model.at(START), objective(model), 1, None)
    assert not planner.plan(model.at(START), objective(model), elapsed, model.clock.now - 1.0).actions.any()


@KINDS
def test_answers_by_the_deadline_and_spends_what_there_is(kind):
    clock = FakeClock()
    model = KinematicModel(clock=clock, seconds_per_loop=1e-5)
    planner, _ = make(model, kind=kind, candidates=64, fewer_candidates=(32, 16))
    loops, candidates, refinements = [], [], []
    for budget in (0.0, 0.001, 0.003, 0.006, 0.012, 0.025, 0.05):
        deadline = clock.now + budget
        plan = planner.plan(model.at(START), objective(model), 1, deadline)
        assert clock.now <= deadline + 1e-9
        used = plan.loops @ np.arange(len(plan.loops)) / max(plan.loops.sum(), 1)
        loops.append(used)
        candidates.append(plan.candidates)
        refinements.append(plan.refinements)
    for spent in (loops, candidates, refinements):
        assert all(a <= b for a, b in itertools.pairwise(spent))
    assert refinements[0] == 0
    assert (refinements[-1], candidates[-1], loops[-1]) == (2, 64, model.spec.mean_loops)


def test_a_model_whose_rollouts_are_cut_short_is_asked_for_less():
    clock = FakeClock()
    model = KinematicModel(clock=clock, seconds_per_loop=1e-5)
    honest, asked, imagine = model.rollout_seconds, [], model.rollout
    model.rollout_seconds = lambda *work: honest(*work) / 1.4  # type: ignore[method-assign]

    def rollout(state, actions, loops, deadline):  # all its iterations, or none
        asked.append(len(actions))
        if honest(len(actions), actions.shape[1], 0) > deadline - clock.now:
            return imagine(state, actions, loops, clock.now)
        return imagine(state, actions, loops, None)

    model.rollout = rollout  # type: ignore[method-assign]
    planner, _ = make(model, fewer_loops=(), refinements=1, candidates=64, fewer_candidates=(32,))
    seconds = honest(64, 8, 0) / 1.3 + PlannerSettings().margin
    plans = [planner.plan(model.at(START), objective(model), 1, clock.now + seconds) for _ in range(20)]
    assert asked == [64, *[32] * 19]
    assert [plan.refinements for plan in plans] == [0, *[1] * 19]


def test_faster_motion_than_the_models_top_speed_is_sampled_where_asked_for():
    def fastest(bound):
        planner, model = make(noise=3.0, bound=bound)
        return np.abs(planner.plan(model.at(START), objective(model), 1, None).actions).max()

    assert 0.4 < fastest(0.5) <= 0.5
    assert 1.0 < fastest(1.6) <= 1.6


def test_a_model_slower_than_it_says_still_gives_plans_in_time():
    clock = FakeClock()
    model = KinematicModel(clock=clock, seconds_per_loop=1e-5)
    honest = model.rollout_seconds
    model.rollout_seconds = lambda *work: honest(*work) / 3  # type: ignore[method-assign]
    planner, _ = make(model)
    scored = []
    for _ in range(20):
        deadline = clock.now + 0.02
        scored.append(planner.plan(model.at(START), objective(model), 1, deadline).refinements)
        assert clock.now <= deadline + 1e-9
    assert min(scored[5:]) >= 1


@KINDS
def test_candidates_without_a_finite_cost_are_left_out(kind):
    planner, model = make(kind=kind, horizon=4)

    def half_broken(rollout, actions):
        costs = np.array(objective(model)(rollout, actions))
        costs[:32] = np.nan
        costs[5] = np.inf
        return costs

    plan = planner.plan(model.at(START), half_broken, 1, None)
    assert np.isfinite(plan.actions).all()
    assert np.isfinite(plan.cost)


@KINDS
def test_without_any_finite_cost_the_warm_start_stands(kind):
    planner, model = make(kind=kind)
    first = planner.plan(model.at(START), objective(model), 1, None)
    plan = planner.plan(model.at(START), lambda r, a: np.full(len(a), np.nan), 1, None)
    assert plan.refinements == 0
    assert np.array_equal(plan.actions[:-1], first.actions[1:])


def test_equal_costs_do_not_divide_by_zero():
    planner, model = make()
    plan = planner.plan(model.at(START), lambda r, a: np.zeros(len(a)), 1, None)
    assert np.isfinite(plan.actions).all()
    assert plan.refinements == 2
