from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.planning.budget import Allocation, TimeBudget, ladder
from loopwm_ros.planning.settings import PlannerSettings
from tests.fakes import FakeClock

AUTO = 5.0  # loops that the fake model uses when it may


def seconds(per_loop: float, fixed: float):
    """A cost that is known exactly."""

    def cost(candidates: int, horizon: int, loops: int) -> float:
        used = min(loops or AUTO, AUTO)
        return horizon * (fixed + candidates * per_loop * used)

    return cost


def make_budget(per_loop: float, fixed: float = 0.0, **settings: object) -> tuple[TimeBudget, FakeClock]:
    clock = FakeClock()
    known = {"margin": 0.0, "candidates": 64, "fewer_candidates": (32, 16)}
    chosen = PlannerSettings.model_validate(known | settings)
    return TimeBudget(chosen, seconds(per_loop, fixed), clock), clock


costs = st.floats(1e-7, 1e-2)
times = st.floats(-1.0, 1.0)


@given(costs, costs, times, st.integers(1, 4))
def test_never_plans_over_budget(per_loop, fixed, left, refinements):
    budget, clock = make_budget(per_loop, fixed)
    allocation = budget.allocate(clock.now + left, refinements)
    if allocation is not None:
        assert budget.seconds(allocation) <= left * (1 + 1e-9) + 1e-9
        assert 1 <= allocation.refinements <= refinements


@given(costs, costs, times, times)
def test_more_time_never_buys_less(per_loop, fixed, one, other):
    short, long = sorted((one, other))
    budget, clock = make_budget(per_loop, fixed)
    less, more = (budget.allocate(clock.now + left, 3) for left in (short, long))
    if less is not None:
        assert more is not None
        assert more.refinements >= less.refinements
        assert more.candidates >= less.candidates
        assert (more.loops or AUTO) >= (less.loops or AUTO)


@given(costs, st.integers(2, 256), st.lists(st.integers(2, 256), max_size=4), st.integers(1, 5))
def test_each_rung_costs_no_more_than_the_one_before(per_loop, candidates, fewer, refinements):
    budget, _ = make_budget(per_loop, 1e-5, candidates=candidates, fewer_candidates=tuple(fewer))
    rungs = ladder(PlannerSettings(candidates=candidates, fewer_candidates=tuple(fewer)), refinements)
    spent = [budget.seconds(rung) for rung in rungs]
    assert spent == sorted(spent, reverse=True)


def test_sheds_loops_then_candidates_then_refinements():
    rungs = ladder(PlannerSettings(candidates=64, fewer_candidates=(32,), fewer_loops=(2, 1)), 2)
    assert rungs == [
        Allocation(2, 64, 0),
        Allocation(2, 64, 2),
        Allocation(2, 64, 1),
        Allocation(2, 32, 1),
        Allocation(1, 32, 1),
    ]


def test_no_deadline_plans_in_full():
    budget, _ = make_budget(per_loop=10.0)
    assert budget.allocate(None, 2) == Allocation(2, 64, 0)
    assert budget.rollout_deadline(None) is None


def test_a_past_deadline_gets_nothing_however_often_asked():
    budget, clock = make_budget(per_loop=1e-7)
    assert all(budget.allocate(clock.now - 0.01, 1) is None for _ in range(200))


def test_slower_than_the_model_says_is_learnt():
    budget, _ = make_budget(per_loop=1e-5)
    allocation = Allocation(1, 64, 1)
    said = budget.seconds(allocation)
    for _ in range(50):
        budget.measured(allocation, rollout=2 * said, total=2 * said + 0.001)
    assert budget.seconds(allocation) == pytest.approx(2 * said + 0.001, rel=0.05)


def test_an_estimate_from_a_bad_moment_is_tried_again():
    budget, clock = make_budget(per_loop=1e-5)
    cheapest = Allocation(1, 16, 1)
    for _ in range(50):
        budget.measured(cheapest, rollout=1.0, total=1.0)
    answers = [budget.allocate(clock.now + 0.05, 2) for _ in range(200)]
    assert answers[0] is None
    assert cheapest in answers


def test_margin_is_kept_free():
    budget, clock = make_budget(per_loop=1e-5, margin=0.02)
    assert budget.rollout_deadline(clock.now + 0.05) == pytest.approx(clock.now + 0.03)
    needed = budget.seconds(Allocation(2, 64, 0))
    assert budget.allocate(clock.now + needed + 0.0199, 2) != Allocation(2, 64, 0)
    assert budget.allocate(clock.now + needed + 0.0201, 2) == Allocation(2, 64, 0)


@pytest.mark.parametrize("warm", [0, 2])
def test_a_first_refinement_on_a_cold_machine_does_not_end_the_search_for_good(warm):
    budget, clock = make_budget(per_loop=5e-6)
    cold = Allocation(1, 64, 0)
    rollout = 0.02
    for outside in (1.0, *[0.001] * warm):  # e.g. modules that are loaded from a disk that sleeps
        budget.measured(cold, rollout, rollout + outside)
    for _ in range(100):
        deadline = clock.now + 0.075
        allocation = budget.allocate(deadline, 1)
        if allocation is not None and budget.rollout_deadline(deadline) - clock.now >= rollout:
            break
        clock.now += 0.1
    else:
        pytest.fail("never searched again")


def test_after_rollouts_that_were_cut_short_what_only_just_fits_is_not_tried_for_a_while():
    budget, clock = make_budget(1e-5, fewer_loops=())
    deadline = clock.now + 1.05 * budget.seconds(Allocation(1, 64, 0))
    assert budget.allocate(deadline, 1) == Allocation(1, 64, 0)
    budget.cut_short()
    cheaper = budget.allocate(deadline, 1)
    assert cheaper == Allocation(1, 32, 0)
    for _ in range(100):
        budget.measured(cheaper, budget.seconds(cheaper), budget.seconds(cheaper))
    assert budget.allocate(deadline, 1) == Allocation(1, 64, 0)


def test_no_number_of_cuts_makes_it_refuse_for_ever():
    budget, clock = make_budget(1e-5, fewer_loops=())
    for _ in range(100):
        budget.cut_short()
    assert budget.allocate(clock.now + 3.01 * budget.seconds(Allocation(1, 16, 0)), 1) == Allocation(1, 16, 0)
