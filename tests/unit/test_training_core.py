import math

import pytest
import torch

from loopwm_ros.training.core import LoopedCore
from loopwm_ros.training.layers import Retention, TransformerLayer
from loopwm_ros.training.model import draw_loops, fixed_loops
from loopwm_ros.training.settings import CoreSettings

SETTINGS = CoreSettings(tokens=3, width=16, heads=2, hidden=16, mean_loops=3, max_loops=6)


@pytest.fixture
def core() -> LoopedCore:
    torch.manual_seed(0)
    return LoopedCore(SETTINGS, action_input=3)


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    state, tokens = torch.randn(2, 5, 3, 16, generator=generator)
    return state, tokens, torch.randn(5, 3, generator=generator)


@pytest.mark.parametrize("scale", [-20.0, -1.0, 0.0, 1.0, 20.0])
def test_retention_is_in_zero_one_for_any_parameters(scale: float) -> None:
    retention = Retention(8, initial=0.5).double()
    with torch.no_grad():
        retention.raw_delta.copy_(scale * torch.linspace(0.5, 1, 8))
        retention.log_rate.copy_(torch.linspace(-3, 3, 8))
    assert (retention.delta > 0).all()
    assert ((retention.retained >= 0) & (retention.retained <= 1)).all()
    assert torch.allclose(retention.retained, torch.exp(-retention.delta * retention.log_rate.exp()))


def test_retention_starts_as_asked_and_holds_a_constant_input() -> None:
    retention = Retention(8, initial=0.3)
    assert torch.allclose(retention.retained, torch.full((8,), 0.3))
    constant = torch.ones(1, 8)
    assert torch.allclose(retention(constant, constant), constant, atol=1e-6)


def test_residual_is_bounded_and_leaves_the_identity_out() -> None:
    torch.manual_seed(0)
    layer = TransformerLayer(3, 16, 2, 16)
    x = torch.randn(6, 16)
    assert torch.allclose(layer(x) - layer.residual(x), x, atol=1e-6)
    assert layer.residual(1e6 * x).abs().max() < 100


def test_iterations_follow_the_equation(core: LoopedCore, inputs: tuple[torch.Tensor, ...]) -> None:
    state, injected, _ = inputs
    mixed = (state + injected).reshape(-1, 16)
    nonlinear = core.block.layers[0].residual(mixed)
    retained = core.block.retention.retained * state.reshape(-1, 16)
    expected = retained + injected.reshape(-1, 16) @ core.block.retention.injection.T + nonlinear
    assert torch.allclose(core.block.step(state, injected).reshape(-1, 16), expected, atol=1e-6)


def test_each_sequence_gets_its_own_iterations(core: LoopedCore, inputs: tuple[torch.Tensor, ...]) -> None:
    state, injected, _ = inputs
    loops = torch.tensor([2, 5, 0, 1, 5])
    together = core.iterate(state, injected, loops)
    for row, count in enumerate(loops.tolist()):
        alone = state[row : row + 1]
        for _ in range(count):
            alone = core.block.step(alone, injected[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=1e-5)


def test_no_iterations_leave_the_state(core: LoopedCore, inputs: tuple[torch.Tensor, ...]) -> None:
    state, injected, _ = inputs
    assert torch.equal(core.iterate(state, injected, fixed_loops(0, 5)), state)


def test_gradients_reach_only_the_last_half_of_mu_iterations(
    core: LoopedCore, inputs: tuple[torch.Tensor, ...]
) -> None:
    assert core.tracked == math.ceil(SETTINGS.mean_loops / 2) == 2
    state, tokens, action = inputs
    loops = torch.tensor([1, 2, 3, 4, 6])
    injected = core.prelude(state, tokens, action).detach()
    core.prelude.forward = lambda *_: injected  # the state now enters through the loop alone
    state.requires_grad_()
    core(state, tokens, action, loops).sum().backward()
    reached = state.grad.abs().amax((1, 2)) > 0
    assert reached.tolist() == [True, True, False, False, False]


def test_truncated_gradient_is_that_of_starting_late(
    core: LoopedCore, inputs: tuple[torch.Tensor, ...]
) -> None:
    state, tokens, action = inputs
    core(state, tokens, action, fixed_loops(5, 5)).square().sum().backward()
    truncated = core.block.retention.log_rate.grad.clone()
    core.zero_grad()
    injected = core.prelude(state, tokens, action)
    with torch.no_grad():
        late = core.iterate(state, injected, fixed_loops(3, 5))
    core.coda(core.block.step(core.block.step(late, injected), injected)).square().sum().backward()
    assert torch.allclose(truncated, core.block.retention.log_rate.grad, rtol=1e-4)
    core.zero_grad()
    whole = core.iterate(state, core.prelude(state, tokens, action), fixed_loops(5, 5))
    core.coda(whole).square().sum().backward()
    assert not torch.allclose(truncated, core.block.retention.log_rate.grad, rtol=1e-2)


def test_loops_differ_by_sequence_with_the_mean_asked_for() -> None:
    drawn = draw_loops(CoreSettings(mean_loops=4, max_loops=8), 3, 4000, torch.Generator().manual_seed(0))
    assert set(drawn[0].tolist()) == set(range(1, 9))
    assert abs(float(drawn.float().mean()) - 4) < 0.1
    assert (drawn == drawn[0]).all()


@pytest.mark.parametrize(
    ("alike", "by_step", "by_sequence"),
    [("transition", True, True), ("sequence", False, True), ("batch", False, False), ("fixed", False, False)],
)
def test_loops_differ_by_what_is_asked_for(alike: str, by_step: bool, by_sequence: bool) -> None:
    settings = CoreSettings.model_validate({"draw_loops": alike})
    drawn = draw_loops(settings, 5, 50, torch.Generator().manual_seed(0))
    assert drawn.shape == (5, 50)
    assert bool((drawn != drawn[:1]).any()) == by_step
    assert bool((drawn != drawn[:, :1]).any()) == by_sequence


def test_what_is_injected_is_normalised(core: LoopedCore, inputs: tuple[torch.Tensor, ...]) -> None:
    state, tokens, action = inputs
    injected = core.prelude(1000 * state, tokens, action)
    assert torch.allclose(injected.square().mean(-1), torch.ones(5, 3), atol=1e-3)


def test_state_stays_bounded_over_long_rollouts(core: LoopedCore, inputs: tuple[torch.Tensor, ...]) -> None:
    state, tokens, _ = inputs
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for _ in range(200):
            action = torch.randn(5, 3, generator=generator)
            state = core(state, torch.zeros_like(tokens), action, fixed_loops(3, 5))
    assert state.abs().max() < 100


def test_masked_iterations_are_those_of_a_shrinking_batch(
    core: LoopedCore, inputs: tuple[torch.Tensor, ...]
) -> None:
    loops, results = torch.tensor([1, 6, 2, 3, 4]), []
    for masked in (False, True):
        core.masked = masked
        state = inputs[0].clone().requires_grad_()
        core.zero_grad()
        following = core(state, *inputs[1:], loops)
        following.square().sum().backward()
        weights = [parameter.grad for parameter in core.parameters() if parameter.grad is not None]
        results.append([following.detach(), state.grad, *(grad.clone() for grad in weights)])
    for shrinking, masked_one in zip(*results, strict=True):
        assert torch.allclose(shrinking, masked_one, atol=1e-4)


def test_free_retention_starts_as_asked_and_may_leave_zero_one() -> None:
    retention = Retention(8, initial=0.3, free=True)
    assert torch.allclose(retention.retained, torch.full((8,), 0.3))
    with torch.no_grad():
        retention.free.fill_(1.5)
    assert (retention.retained == 1.5).all()
