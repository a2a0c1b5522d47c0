import itertools
import math

import pytest
import torch

from loopwm_ros.training import losses
from loopwm_ros.training.schedule import average_decay, curriculum_horizon, learning_rate, step_generator
from loopwm_ros.training.settings import StageSettings


def test_masked_mean_ignores_what_is_unknown() -> None:
    values = torch.tensor([[1.0, 100.0], [3.0, 100.0]])
    assert losses.masked_mean(values, torch.tensor([[True, False], [True, False]])) == 2.0
    assert losses.masked_mean(values, torch.zeros(2, 2, dtype=torch.bool)) == 0.0


def test_readout_error_is_square_within_a_unit_and_linear_beyond() -> None:
    error = losses.readout_error(torch.tensor([0.005, 0.05]), torch.zeros(2), unit=0.01)
    assert torch.allclose(error, torch.tensor([0.125, 4.5]))


def test_drift_is_free_up_to_the_limit() -> None:
    states = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 2, 3, 5)  # moves 1 a step, 3 steps
    assert losses.drift_hinge(states, limit=1.0) == pytest.approx(0.0, abs=1e-5)
    assert losses.drift_hinge(states, limit=0.6) == pytest.approx(3 - 1.8, abs=1e-5)


def test_drift_of_a_still_state_has_a_finite_gradient() -> None:
    states = torch.zeros(3, 1, 2, 2, requires_grad=True)
    losses.drift_hinge(states, limit=0.0).backward()
    assert torch.isfinite(states.grad).all()


def test_entropy_is_largest_for_an_undecided_gate() -> None:
    entropy = losses.binary_entropy(torch.tensor([0.0, 50.0, -50.0]))
    assert entropy[0] == pytest.approx(math.log(2))
    assert entropy[1] == pytest.approx(0.0, abs=1e-6)
    assert entropy[2] == pytest.approx(0.0, abs=1e-6)


def test_settled_needs_all_later_iterations_and_all_quantities() -> None:
    readouts = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.0], [0.001, 0.0]])[:, None]
    assert losses.settled(readouts, 0.002)[:, 0].tolist() == [False, False, True, True]
    late = torch.tensor([[0.0, 1.0], [0.0, 0.0]])[:, None]
    assert losses.settled(late, 0.002)[:, 0].tolist() == [False, True]


def test_gate_loss_prefers_the_truth_and_pays_for_certainty() -> None:
    target = torch.tensor([[False], [True]])
    right, wrong = torch.tensor([[-2.0], [2.0]]), torch.tensor([[2.0], [-2.0]])
    assert losses.gate_loss(right, target, 0.01) < losses.gate_loss(wrong, target, 0.01)
    sure = 3 * right
    gained = losses.gate_loss(right, target, 0.0) - losses.gate_loss(sure, target, 0.0)
    with_entropy = losses.gate_loss(right, target, 0.1) - losses.gate_loss(sure, target, 0.1)
    assert with_entropy < gained


def test_curriculum_grows_by_one_and_stops() -> None:
    assert [curriculum_horizon(step, 3, 10) for step in (0, 9, 10, 20, 1000)] == [1, 1, 2, 3, 3]


def test_learning_rate_warms_up_and_falls() -> None:
    stage = StageSettings(steps=100, batch=1, learning_rate=1.0, warmup=10, final_rate=0.1)
    rates = [learning_rate(step, stage) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))


def test_average_forgets_the_start() -> None:
    assert average_decay(0, 0.999) == pytest.approx(0.1)
    assert average_decay(10**6, 0.999) == 0.999


def test_random_streams_depend_on_seed_stage_step_and_rank() -> None:
    def first(*key: object) -> float:
        return float(torch.rand(1, generator=step_generator(*key)))

    same = first(1, "core", 5, 0)
    assert same == first(1, "core", 5, 0)
    others = [(2, "core", 5, 0), (1, "encoder", 5, 0), (1, "core", 6, 0), (1, "core", 5, 1)]
    assert all(first(*key) != same for key in others)
