"""The core whose iterations are steps over parts of a transition's actions, in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.processing.states import chunked, part_between, told_actions
from loopwm_ros.training.baselines import OnePassCore
from loopwm_ros.training.exits import exits_of, gate_logits
from loopwm_ros.training.model import LoopWM, draw_loops, first_probed, fixed_loops, make_core
from loopwm_ros.training.parts import PartsCore, UntiedParts, part_of
from loopwm_ros.training.settings import CoreSettings, TrainSettings
from tests.fakes import make_spec

CHUNK, AXES = 8, 2
SPEC = make_spec(chunk=CHUNK, action_dim=AXES, tokens=3, width=16)
SIZE = {"tokens": 3, "width": 16, "heads": 2, "hidden": 16, "block": "dense", "inner_width": 24}
SETTINGS = CoreSettings.model_validate(
    {**SIZE, "iterate": "parts", "mean_loops": 3, "max_loops": 4, "draw_loops": "uniform"}
)
COUNTS = (8, 8, 5, 1, 3)  # actions of each transition of a batch
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture
def core() -> PartsCore:
    torch.manual_seed(0)
    made = make_core(SETTINGS, SPEC.action_input, CHUNK)
    assert isinstance(made, PartsCore)
    return made.eval()


@pytest.fixture
def model() -> LoopWM:
    torch.manual_seed(0)
    tiny = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
    return LoopWM(tiny.model_copy(update={"chunk": CHUNK, "core": SETTINGS}), SPEC).eval()


@pytest.fixture
def inputs() -> Inputs:
    random = torch.Generator().manual_seed(1)
    state, tokens = torch.randn(2, len(COUNTS), 3, 16, generator=random)
    return state, tokens, told(*COUNTS)


def told(*counts: int) -> torch.Tensor:
    """What transitions of so many actions are told of them; no two actions are alike."""
    actions = np.arange(1, 1 + len(counts) * CHUNK * AXES, dtype=np.float32).reshape(-1, CHUNK, AXES) / 50
    rows = [chunked(SPEC, row[:count]) for row, count in zip(actions, counts, strict=True)]
    return torch.from_numpy(np.stack(rows))


def actions_in(part: torch.Tensor) -> torch.Tensor:
    """The actions that one row tells of, (actions, axes)."""
    return part[:-1].reshape(CHUNK, AXES)[: round(float(part[-1]) * CHUNK)]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 8])
def test_parts_share_all_actions_out_in_their_order(number: int) -> None:
    whole = told(8, 7, number)
    cut = [part_of(whole, t, torch.full((3,), number), CHUNK) for t in range(number)]
    for row, all_told in enumerate(whole):
        pieces = [actions_in(part[row]) for part in cut]
        assert torch.equal(torch.cat(pieces), actions_in(all_told))
        lengths = [len(piece) for piece in pieces]
        assert max(lengths) - min(lengths) <= 1
    for part in cut:
        unused = part[:, :-1].reshape(3, CHUNK, AXES)
        assert all(
            (row[round(float(end) * CHUNK) :] == 0).all()
            for row, end in zip(unused, part[:, -1], strict=True)
        )


def test_the_robot_cuts_a_transition_as_training_does() -> None:
    whole, number = told(*COUNTS), torch.tensor([3, 4, 2, 1, 3])
    for t in range(int(number.max())):
        count, rows = told_actions(SPEC, whole.numpy()), (t < number).numpy()
        begin, end = count * t // number.numpy(), count * (t + 1) // number.numpy()
        expected = part_of(whole, t, number, CHUNK).numpy()
        assert np.array_equal(part_between(SPEC, whole.numpy(), begin, end)[rows], expected[rows])


@pytest.mark.parametrize("masked", [False, True])
def test_each_sequence_takes_its_own_number_of_steps(core: PartsCore, inputs: Inputs, masked: bool) -> None:
    loops = torch.tensor([1, 4, 2, 3, 3])
    core.masked = masked
    after = core(*inputs, loops)
    for row, (drawn, count) in enumerate(zip(loops.tolist(), COUNTS, strict=True)):
        state, tokens, action = (part[row : row + 1] for part in inputs)
        number = min(drawn, count)
        for t in range(number):
            begin, end = count * t // number, count * (t + 1) // number
            actions = actions_in(action[0])[begin:end].numpy()
            part = torch.from_numpy(chunked(SPEC, actions))[None]
            state = core.block.step(state, core.prelude(state, tokens, part))
        assert torch.allclose(after[row], state[0], atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_there_are_no_more_steps_than_actions_or_than_there_may_be(
    core: PartsCore, inputs: Inputs, masked: bool
) -> None:
    core.masked = masked
    most = core(*inputs, fixed_loops(SETTINGS.max_loops, 5))
    assert torch.equal(core(*inputs, fixed_loops(50, 5)), most)
    finest = core.in_steps(*inputs, torch.tensor(COUNTS), max(COUNTS))
    assert not torch.allclose(finest[0], most[0], atol=1e-3)
    assert torch.allclose(finest[3:], most[3:], atol=1e-6), "there every action has a step already"
    state, tokens, action = (part[3:4] for part in inputs)  # one action, as after an observation
    assert torch.equal(core(state, tokens, action, fixed_loops(4, 1)), core.once(state, tokens, action))


def test_a_transition_ends_with_a_leap_or_with_all_other_parts(model: LoopWM, inputs: Inputs) -> None:
    core, exits = model.core, exits_of(model, *inputs, SETTINGS.max_loops)
    assert exits.loops.tolist() == [[1] * 5, [4, 4, 4, 2, 4]], "one action has one part"
    assert torch.equal(exits.states[0], core.once(*inputs))
    assert torch.equal(exits.states[1], core(*inputs, fixed_loops(SETTINGS.max_loops - 1, 5)))
    gates = torch.sigmoid(gate_logits(model, exits))
    assert torch.equal(gates[0], core.block(inputs[0], core.prelude(*inputs))[1])
    assert (gates[1] > 0.999).all()


def test_the_gate_sees_where_a_leap_began_what_it_was_told_and_where_it_led(
    core: PartsCore, inputs: Inputs
) -> None:
    state, injected = inputs[0], core.prelude(*inputs)
    after = core.block.step(state, injected)
    seen = core.block.gate_logit(state, after, injected)
    for other in ((after, after, injected), (state, state, injected), (state, after, -injected)):
        assert not torch.allclose(core.block.gate_logit(*other), seen, atol=1e-3)


def test_every_input_matters_and_every_weight_learns(core: PartsCore, inputs: Inputs) -> None:
    state, tokens, action = inputs
    loops = fixed_loops(3, 5)
    after = core(*inputs, loops)
    late = action.clone()
    late[:, 2 * AXES : 3 * AXES] *= -1  # the third action
    for other in ((-state, tokens, action), (state, 0 * tokens, action), (state, tokens, late)):
        assert not torch.allclose(core(*other, loops)[:2], after[:2])
    gate = core.block(state, core.prelude(*inputs))[1]
    (after.square().sum() + gate.sum()).backward()
    assert [name for name, p in core.named_parameters() if not p.grad.abs().sum()] == []


def test_untied_steps_of_equal_weights_are_the_tied_ones(core: PartsCore, inputs: Inputs) -> None:
    settings = {
        **SIZE,
        "iterate": "parts",
        "kind": "fixed_depth",
        "layers": 3,
        "mean_loops": 1,
        "max_loops": 1,
    }
    free = make_core(CoreSettings.model_validate(settings), SPEC.action_input, CHUNK)
    assert isinstance(free, OnePassCore)
    assert isinstance(free.prelude, UntiedParts)
    for prelude, block in zip(free.prelude.preludes, free.prelude.blocks, strict=True):
        prelude.load_state_dict(core.prelude.state_dict())
        block.load_state_dict(core.block.selective.state_dict())
    rows = [row for row, count in enumerate(COUNTS) if count >= 3]
    some = tuple(part[rows] for part in inputs)
    assert torch.allclose(free(*some, fixed_loops(1, 4)), core(*some, fixed_loops(3, 4)), atol=1e-5)
    one = tuple(part[3:4] for part in inputs)  # a single action is the last step's
    last = free.prelude.blocks[2](one[0], free.prelude.preludes[2](*one))
    assert torch.allclose(free(*one, fixed_loops(1, 1)), last, atol=1e-6)


def test_uniform_numbers_of_iterations_are_each_transition_s_own() -> None:
    drawn = draw_loops(SETTINGS, 50, 400, torch.Generator().manual_seed(0))
    shares = torch.bincount(drawn.flatten(), minlength=5)[1:] / drawn.numel()
    assert len(shares) == SETTINGS.max_loops
    assert torch.allclose(shares, torch.full((4,), 0.25), atol=0.02)
    assert (drawn.float().std(0) > 0).all()
    assert (drawn.float().std(1) > 0).all()


def test_only_transitions_of_several_actions_teach_the_gate() -> None:
    assert first_probed(SETTINGS, 3) == 3
    assert first_probed(SETTINGS.model_copy(update={"iterate": "block"}), 3) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"block": "retention", "inner_width": 0}, "not looped with retention"),
        ({"kind": "gru", "mean_loops": 1, "max_loops": 1}, "not gru with dense"),
        ({"mean_loops": 2, "max_loops": 2}, "a leap and 2 parts after it take max_loops 3 or more"),
    ],
)
def test_what_cannot_be_cut_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CoreSettings.model_validate({**SETTINGS.model_dump(), **changes})


def test_a_chunk_of_one_action_has_no_parts() -> None:
    tiny = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
    with pytest.raises(ValidationError, match="chunk must be 2 or more"):
        TrainSettings.model_validate({**tiny.model_dump(), "chunk": 1, "core": SETTINGS.model_dump()})
