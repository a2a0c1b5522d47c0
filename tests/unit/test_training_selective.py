import pytest
import torch

from loopwm_ros.training.baselines import OnePassCore
from loopwm_ros.training.core import LoopedCore
from loopwm_ros.training.model import fixed_loops, make_core
from loopwm_ros.training.settings import CoreSettings

SIZE = {"tokens": 3, "width": 16, "heads": 2, "hidden": 16}


def looped() -> LoopedCore:
    torch.manual_seed(0)
    core = make_core(CoreSettings(selective=True, mean_loops=3, max_loops=6, **SIZE), action_input=5)
    assert isinstance(core, LoopedCore)
    return core.eval()


def untied(layers: int, inner_width: int = 0) -> OnePassCore:
    torch.manual_seed(0)
    settings = CoreSettings(
        kind="fixed_depth",
        selective=True,
        layers=layers,
        inner_width=inner_width,
        mean_loops=1,
        max_loops=1,
        **SIZE,
    )
    core = make_core(settings, action_input=5)
    assert isinstance(core, OnePassCore)
    return core.eval()


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    state, tokens = torch.randn(2, 4, 3, 16, generator=generator)
    return state, tokens, torch.randn(4, 5, generator=generator)


def test_an_iteration_mixes_the_state_and_what_is_proposed(inputs: tuple[torch.Tensor, ...]) -> None:
    core, (state, given, _) = looped(), inputs
    step = core.block.selective
    rows = state.reshape(-1, 16)
    found = step.norm(step.layers(rows + given.reshape(-1, 16)))
    retained = torch.exp(-torch.nn.functional.softplus(step.rate(found)))
    expected = retained * rows + (1 - retained) * step.proposed(found)
    assert torch.allclose(core.block.step(state, given).reshape(-1, 16), expected, atol=1e-6)
    assert ((retained > 0) & (retained < 1)).all()


def test_the_state_stays_bounded_for_any_number_of_iterations(inputs: tuple[torch.Tensor, ...]) -> None:
    core, (state, tokens, action) = looped(), inputs
    step = core.block.selective
    largest = step.proposed.weight.abs().sum(1) * 16**0.5 + step.proposed.bias.abs()  # of what is proposed
    after = core(100 * state, tokens, action, fixed_loops(500, 4))
    assert (after.abs() <= largest + 1e-3).all()


def test_what_a_transition_does_not_touch_stays_however_often_it_iterates(
    inputs: tuple[torch.Tensor, ...],
) -> None:
    core, (state, tokens, action) = looped(), inputs
    rate = core.block.selective.rate
    with torch.no_grad():
        rate.weight[:8] = 0
        rate.bias[:8] = -30
    after = core(state, tokens, action, fixed_loops(64, 4))
    assert torch.allclose(after[..., :8], state[..., :8], atol=1e-5)
    assert not torch.allclose(after[..., 8:], state[..., 8:], atol=0.1)


def test_it_starts_with_the_retention_that_is_asked_for() -> None:
    core = make_core(CoreSettings(selective=True, initial_retention=0.9, **SIZE), action_input=5)
    rate = core.block.selective.rate
    assert torch.exp(-torch.nn.functional.softplus(rate.bias)).mean().item() == pytest.approx(0.9)


def test_untied_steps_of_equal_weights_are_the_loop(inputs: tuple[torch.Tensor, ...]) -> None:
    tied, free = looped(), untied(3)
    free.prelude.inject.load_state_dict(tied.prelude.state_dict())
    for step in free.prelude.steps:
        step.load_state_dict(tied.block.selective.state_dict())
    assert torch.allclose(free(*inputs, fixed_loops(1, 4)), tied(*inputs, fixed_loops(3, 4)), atol=1e-5)


def test_wider_steps_keep_the_state_as_it_is(inputs: tuple[torch.Tensor, ...]) -> None:
    narrow, wide = untied(2), untied(2, inner_width=64)
    sizes = [sum(p.numel() for p in core.parameters()) for core in (narrow, wide)]
    assert sizes[1] > 6 * sizes[0]
    assert wide(*inputs, fixed_loops(1, 4)).shape == inputs[0].shape


@pytest.mark.parametrize("core", [looped(), untied(2), untied(2, 32)], ids=["looped", "untied", "wide"])
def test_every_input_matters_and_every_weight_learns(
    core: torch.nn.Module, inputs: tuple[torch.Tensor, ...]
) -> None:
    loops = fixed_loops(1 if isinstance(core, OnePassCore) else 3, 4)
    state, tokens, action = inputs
    after = core(*inputs, loops)
    for other in ((-state, tokens, action), (state, 0 * tokens, action), (state, tokens, -action)):
        assert not torch.allclose(core(*other, loops), after)
    after.square().sum().backward()
    unused = [name for name, p in core.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert [name for name in unused if "gate" not in name] == []
