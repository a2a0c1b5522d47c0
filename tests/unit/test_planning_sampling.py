from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.planning.cem import Cem
from loopwm_ros.planning.mppi import Mppi
from loopwm_ros.planning.sampling import sample_actions, shifted, smooth_basis
from loopwm_ros.planning.settings import PlannerSettings


@given(st.integers(1, 30), st.integers(1, 12))
def test_basis_keeps_unit_variance_at_every_step(horizon, knots):
    basis = smooth_basis(horizon, knots)
    assert basis.shape == (horizon, min(knots, horizon))
    assert np.linalg.norm(basis, axis=1) == pytest.approx(np.ones(horizon), abs=1e-5)


def test_basis_makes_neighbouring_steps_alike():
    covariance = smooth_basis(8, 3) @ smooth_basis(8, 3).T
    assert np.diag(covariance, 1).min() > 0.6
    assert abs(covariance[0, -1]) < 1e-6


def test_one_knot_is_a_constant_action():
    assert np.array_equal(smooth_basis(5, 1), np.ones((5, 1), dtype=np.float32))


@given(st.integers(2, 65), st.integers(1, 10), st.integers(0, 5))
def test_samples_are_in_range_and_start_with_nominal_and_standing_still(candidates, horizon, seed):
    random = np.random.default_rng(seed)
    nominal = random.uniform(-1, 1, (horizon, 3)).astype(np.float32)
    spread = np.full_like(nominal, 0.5)
    actions = sample_actions(nominal, spread, smooth_basis(horizon, 3), candidates, random)
    assert actions.shape == (candidates, horizon, 3)
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1.0
    assert np.array_equal(actions[0], nominal)
    assert not actions[1].any()


def test_samples_spread_as_asked():
    nominal = np.zeros((8, 3), dtype=np.float32)
    spread = np.broadcast_to(np.array([0.1, 0.2, 0.05], dtype=np.float32), (8, 3))
    actions = sample_actions(nominal, spread, smooth_basis(8, 3), 4002, np.random.default_rng(0))
    assert actions[2:].mean(axis=0) == pytest.approx(nominal, abs=1e-6)
    assert actions[2:].std(axis=0) == pytest.approx(spread, rel=0.1)


@given(st.integers(0, 20))
def test_shifted_moves_the_plan_on_and_then_stands_still(steps):
    plan = np.arange(1, 19, dtype=np.float32).reshape(6, 3)
    moved = shifted(plan, steps)
    kept = max(0, 6 - steps)
    assert np.array_equal(moved[:kept], plan[6 - kept :])
    assert not moved[kept:].any()


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=20), st.floats(0.1, 100.0))
def test_mppi_weights_favour_the_better_in_any_unit(costs, unit):
    update = Mppi(PlannerSettings())
    costs = np.array([*costs, np.inf])
    weights = update.weights(costs)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[-1] == 0.0
    order = np.argsort(costs)
    assert np.all(np.diff(weights[order]) <= 1e-12)
    spread, rounding = np.median(costs[:-1]) - costs.min(), 1e-9 * np.abs(costs[:-1]).max()
    if spread > max(rounding, 1e-10):  # else rounding, or the floor that keeps from dividing by zero, decides
        assert update.weights(costs * unit) == pytest.approx(weights, abs=1e-6)


def test_mppi_ignores_hopeless_candidates_when_it_scales():
    update = Mppi(PlannerSettings())
    costs = np.array([1.0, 1.1, 1.2, 1.3, 1.4])
    hopeless = np.array([1.0, 1.1, 1.2, 1.3, 1e6])
    assert update.weights(hopeless)[:3] == pytest.approx(update.weights(costs)[:3], rel=0.01)


def test_cem_takes_the_elites_only():
    update = Cem(PlannerSettings(elites=2))
    costs = np.array([3.0, np.inf, 1.0, 2.0])
    assert np.array_equal(update.weights(costs), [0.0, 0.0, 0.5, 0.5])
    assert np.array_equal(update.weights(np.array([np.inf, 1.0, np.inf])), [0.0, 1.0, 0.0])


def test_cem_spread_is_that_of_the_elites_and_never_collapses():
    update = Cem(PlannerSettings(elites=2))
    actions = np.zeros((3, 1, 3), dtype=np.float32)
    actions[0, 0, 0], actions[1, 0, 0] = 0.4, -0.4
    weights = np.array([0.5, 0.5, 0.0])
    spread = update.spread(np.ones((1, 3), np.float32), actions, np.zeros((1, 3), np.float32), weights)
    assert spread[0, 0] == pytest.approx(0.4)
    assert 0.0 < spread[0, 1] < 0.1
