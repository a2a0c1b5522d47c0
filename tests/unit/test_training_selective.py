import pytest
import torch
from torch.nn.functional import silu, softplus

from loopwm_ros.training.baselines import OnePassCore, Untied
from loopwm_ros.training.block import DenseStep, SelectiveStep
from loopwm_ros.training.core import LoopedCore
from loopwm_ros.training.model import fixed_loops, make_core
from loopwm_ros.training.settings import CoreSettings
from tests.cores import CoreInputs, core_inputs

SIZE = {"tokens": 3, "width": 16, "heads": 2, "hidden": 16}
BLOCKS = {"selective": 0, "dense": 24}  # inner widths
every_block = pytest.mark.parametrize("block", BLOCKS)


def looped(block: str, **changes: object) -> LoopedCore:
    torch.manual_seed(0)
    settings = {"block": block, "inner_width": BLOCKS[block], "mean_loops": 3, "max_loops": 6, **changes}
    core = make_core(CoreSettings.model_validate({**SIZE, **settings}), action_input=5)
    assert isinstance(core, LoopedCore)
    return core.eval()


def untied(block: str, layers: int, inner_width: int | None = None) -> OnePassCore:
    torch.manual_seed(0)
    inner = BLOCKS[block] if inner_width is None else inner_width
    settings = {"kind": "fixed_depth", "block": block, "layers": layers, "inner_width": inner}
    core = make_core(
        CoreSettings.model_validate({**SIZE, **settings, "mean_loops": 1, "max_loops": 1}), action_input=5
    )
    assert isinstance(core, OnePassCore)
    assert isinstance(core.prelude, Untied)
    return core.eval()


@pytest.fixture
def inputs() -> CoreInputs:
    return core_inputs()


def test_a_selective_iteration_follows_the_equation(inputs: tuple[torch.Tensor, ...]) -> None:
    core, (state, given, _) = looped("selective"), inputs
    step = core.block.selective
    assert isinstance(step, SelectiveStep)
    rows = state.reshape(-1, 16)
    found = step.norm(step.layers(rows + given.reshape(-1, 16)))
    retained = torch.exp(-softplus(step.rate(found)))
    expected = retained * rows + (1 - retained) * step.proposed(found)
    assert torch.allclose(core.block.step(state, given).reshape(-1, 16), expected, atol=1e-6)


def test_a_dense_iteration_follows_the_equation(inputs: tuple[torch.Tensor, ...]) -> None:
    core, (state, given, _) = looped("dense"), inputs
    step = core.block.selective
    assert isinstance(step, DenseStep)
    flat = state.flatten(1)
    found = silu(step.inward(torch.cat([flat, given.flatten(1)], -1)))
    retained = torch.exp(-softplus(step.rate(found)))
    expected = retained * flat + (1 - retained) * torch.tanh(step.proposed(found))
    assert torch.allclose(core.block.step(state, given).flatten(1), expected, atol=1e-6)


@every_block
def test_the_state_stays_bounded_for_any_number_of_iterations(
    block: str, inputs: tuple[torch.Tensor, ...]
) -> None:
    core, (state, tokens, action) = looped(block), inputs
    step = core.block.selective
    of_norm = step.proposed.weight.abs().sum(1) * 16**0.5 + step.proposed.bias.abs()
    largest = of_norm if block == "selective" else torch.ones(())
    after = core(state, 100 * tokens, 100 * action, fixed_loops(500, 4))
    assert (after.abs() <= torch.maximum(state.abs(), largest) + 1e-3).all()


@every_block
def test_what_a_transition_does_not_touch_stays_however_often_it_iterates(
    block: str, inputs: tuple[torch.Tensor, ...]
) -> None:
    core, (state, tokens, action) = looped(block), inputs
    rate = core.block.selective.rate
    with torch.no_grad():
        rate.weight[:8] = 0
        rate.bias[:8] = -30
    after = core(state, tokens, action, fixed_loops(64, 4))
    if block == "dense":  # its first 8 values are those of the first token
        after, state = after[:, :1], state[:, :1]
    assert torch.allclose(after[..., :8], state[..., :8], atol=1e-5)
    assert not torch.allclose(after[..., 8:], state[..., 8:], atol=0.1)


@every_block
def test_it_starts_with_the_retention_that_is_asked_for(block: str) -> None:
    rate = looped(block, initial_retention=0.9).block.selective.rate
    assert torch.exp(-softplus(rate.bias)).mean().item() == pytest.approx(0.9)


@every_block
def test_untied_steps_of_equal_weights_are_the_loop(block: str, inputs: tuple[torch.Tensor, ...]) -> None:
    tied, free = looped(block), untied(block, 3)
    free.prelude.inject.load_state_dict(tied.prelude.state_dict())
    for step in free.prelude.steps:
        step.load_state_dict(tied.block.selective.state_dict())
    assert torch.allclose(free(*inputs, fixed_loops(1, 4)), tied(*inputs, fixed_loops(3, 4)), atol=1e-5)


@every_block
def test_wider_steps_keep_the_size_of_the_state(block: str, inputs: tuple[torch.Tensor, ...]) -> None:
    narrow, wide = untied(block, 2), untied(block, 2, inner_width=256)
    sizes = [sum(p.numel() for p in core.parameters()) for core in (narrow, wide)]
    assert sizes[1] > 6 * sizes[0]
    assert wide(*inputs, fixed_loops(1, 4)).shape == inputs[0].shape


@pytest.mark.parametrize(
    "core",
    [looped("selective"), looped("dense"), looped("dense", block_layers=2), untied("selective", 2, 32)],
    ids=["selective", "dense", "two layers", "untied and wide"],
)
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
    of_gate = ("block.gate", "block.changes", "block.weigh")
    assert [name for name in unused if not name.startswith(of_gate)] == []


@every_block
def test_the_gate_sees_what_an_iteration_has_changed(block: str, inputs: tuple[torch.Tensor, ...]) -> None:
    core, (state, given, _) = looped(block), inputs
    after = core.block.step(state, given)
    logit = core.block.gate_logit(state, after, given)
    assert not torch.allclose(logit, core.block.gate_logit(after, after, given), atol=1e-3)
    assert torch.equal(core.block(state, given)[1], torch.sigmoid(logit))
    logit.sum().backward()
    assert core.block.changes.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"block": "dense"}, "a dense block needs an inner_width"),
        ({"block": "selective", "retention": False}, "has no Abar that could be free"),
        ({"block": "selective", "inner_width": 96}, "a multiple of width 64, not 96"),
        ({"inner_width": 128}, "inner_width must be 0"),
    ],
)
def test_settings_that_make_no_block_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CoreSettings.model_validate(changes)
