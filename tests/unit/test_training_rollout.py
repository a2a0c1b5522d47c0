import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from loopwm_ros.config import load_settings, share_dir
from loopwm_ros.data.dataset import Dataset
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import evaluate
from loopwm_ros.training.losses import settled
from loopwm_ros.training.model import LoopWM, draw_loops, fixed_loops, noise_state
from loopwm_ros.training.rollout import RolloutLoss, unroll
from loopwm_ros.training.run import describe
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.training.spec import proprio_statistics, quantity_statistics
from loopwm_ros.training.windows import Window, frames_at, make_bank, windows_at
from tests.synthetic import synthetic_dataset

SETTINGS = load_settings(share_dir() / "config/train/tiny.yaml", TrainSettings)
CONTEXT, HORIZON = 2, 4


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(episodes=4, frames=30)


@pytest.fixture(scope="module")
def model(data: Dataset) -> LoopWM:
    torch.manual_seed(0)
    return LoopWM(SETTINGS, describe(SETTINGS, data).spec).eval()


@pytest.fixture
def window(data: Dataset) -> Window:
    spec = describe(SETTINGS, data).spec
    tokens = torch.randn(len(data), spec.tokens, spec.width, generator=torch.Generator().manual_seed(0))
    at = data.windows(np.arange(4), CONTEXT + HORIZON, 2)[::8]
    lengths = torch.ones(CONTEXT + HORIZON, len(at), dtype=torch.long)
    return windows_at(make_bank(data, spec, tokens), 1, 2, torch.from_numpy(at[:, 0].copy()), lengths)


@pytest.fixture
def generator() -> Iterator[torch.Generator]:
    return torch.Generator().manual_seed(3)


def test_actions_lead_from_one_step_to_the_next(data: Dataset, window: Window) -> None:
    spec = describe(SETTINGS, data).spec
    assert (window.actions[0] == 0).all()
    at = data.windows(np.arange(4), CONTEXT + HORIZON, 2)[::8]
    moved = data.command_tool[at[:, 3]] - data.command_tool[at[:, 2]]
    assert np.allclose(window.actions[3].numpy(), moved / (spec.max_tool_speed * 0.1), atol=1e-6)
    assert window.actions.abs().max() <= 1.01


def test_imagining_sees_no_observation(data: Dataset, model: LoopWM, window: Window) -> None:
    start = noise_state(describe(SETTINGS, data).spec, len(window.reward[0]), torch.Generator())
    loops = fixed_loops(3, window.reward.numel()).reshape(window.reward.shape)
    blinded = window._replace(tokens=torch.cat([window.tokens[:CONTEXT], 9 + window.tokens[CONTEXT:]]))
    shifted = window._replace(tokens=window.tokens + 1)
    states = unroll(model, start, window, CONTEXT, loops)
    assert torch.equal(states, unroll(model, start, blinded, CONTEXT, loops))
    assert not torch.allclose(states[-1], unroll(model, start, shifted, CONTEXT, loops)[-1])


def test_unrolling_equals_step_by_step(data: Dataset, model: LoopWM, window: Window) -> None:
    state = noise_state(describe(SETTINGS, data).spec, len(window.reward[0]), torch.Generator())
    loops = fixed_loops(3, window.reward.numel()).reshape(window.reward.shape)
    states = unroll(model, state, window, CONTEXT, loops)
    assert torch.equal(states[0], state)
    for step, action in enumerate(window.actions):
        tokens = window.tokens[step] if step < CONTEXT else torch.zeros_like(state)
        injected = model.core.prelude(state, tokens, action)
        for _ in range(3):
            state, _ = model.core.block(state, injected)
        state = model.core.coda(state)
        assert torch.allclose(states[step + 1], state, atol=1e-5)


def test_all_parts_of_the_loss_teach_their_weights(
    model: LoopWM, window: Window, generator: torch.Generator
) -> None:
    model.zero_grad()
    start = torch.randn(len(window.reward[0]), 2, 16, generator=generator)
    loss = RolloutLoss(model, SETTINGS.rollout, SETTINGS.core)
    loops = draw_loops(SETTINGS.core, len(window.reward), len(start), generator)
    total, parts = loss(start, window, CONTEXT, loops, torch.tensor([CONTEXT]))
    total.backward()
    assert set(parts) == {
        "terminal", "steps", "latent", "reward", "continuation", "consistency", "drift", "gate"
    }  # fmt: skip
    trained = {
        name: parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        for part in ("core", "heads", "monitor")
        for name, parameter in getattr(model, part).named_parameters()
    }
    assert [name for name, has in trained.items() if not has] == []


def test_consistency_is_of_the_steps_before_the_last(model: LoopWM, window: Window) -> None:
    loss = RolloutLoss(model, SETTINGS.rollout, SETTINGS.core)
    states = torch.randn(HORIZON - 1, len(window.reward[0]), 2, 16)
    exact = model.monitor(states).detach()
    assert loss._consistency(states, exact).item() == pytest.approx(0.0, abs=1e-10)
    assert loss._consistency(states, exact + 2).item() == pytest.approx(4.0, rel=1e-4)
    assert loss._consistency(states[:0], exact[:0]).item() == 0.0


def test_gate_is_what_ends_the_evaluated_loops(data: Dataset, model: LoopWM, window: Window) -> None:
    spec = describe(SETTINGS, data).spec
    state = torch.randn(len(window.reward[0]), 2, 16)
    gate = model.core.block.gate
    with torch.no_grad():
        gate.weight.zero_()
        gate.bias.fill_(9.0)
        _, always = evaluate.gated_rollout(model, spec, state, window.actions[CONTEXT:])
        gate.bias.fill_(-9.0)
        states, never = evaluate.gated_rollout(model, spec, state, window.actions[CONTEXT:])
        gate.bias.zero_()
    assert (always == 1).all()
    assert (never == spec.max_loops).all()
    full = fixed_loops(spec.max_loops, len(state))
    first = model.core(state, torch.zeros_like(state), window.actions[CONTEXT], full)
    assert torch.allclose(states[0], first, atol=1e-5)


def test_what_is_not_in_a_window_does_not_hold_its_gate(model: LoopWM, window: Window) -> None:
    """Each window has its own objects: one that lacks a label is not held up by what is read of it."""
    targets = []

    def noted(readouts: torch.Tensor, tolerance: float) -> torch.Tensor:
        targets.append(settled(readouts, tolerance))
        return targets[-1]

    states = torch.randn(len(window.actions) + 1, len(window.reward[0]), 2, 16)
    known = window.known.clone()
    known[:, 0] = False  # nothing of the first window
    restless = copy.deepcopy(model)
    with torch.no_grad():
        restless.heads.direct.weight.normal_(std=1.0)
    loss = RolloutLoss(restless, SETTINGS.rollout, SETTINGS.core)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loopwm_ros.training.rollout.losses.settled", noted)
        loss._probe(states, window._replace(known=known), CONTEXT, torch.tensor([CONTEXT]))
    assert targets[0][:, 0].all()
    assert not targets[0][0, 1:].all()


def test_open_loop_errors_are_centimetres_against_truth(data: Dataset, window: Window) -> None:
    spec = describe(SETTINGS, data).spec
    truth = window.quantities[CONTEXT:]
    off = truth + torch.tensor([0.0, 0.03, 0.04, 0.0, 0.0, 0.0])
    metrics = evaluate.open_loop(spec, off.flatten(0, 1), window, SETTINGS.rollout, "x")
    assert metrics["x_tool_k1_cm"] == pytest.approx(5.0, rel=1e-3)
    assert metrics["x_ball_k1_cm"] == pytest.approx(0.0, abs=1e-3)


def test_a_point_without_labels_has_no_error(data: Dataset, window: Window) -> None:
    spec = describe(SETTINGS, data).spec
    known = window.known.clone()
    known[..., 3:] = False
    nothing = window.quantities[CONTEXT:].flatten(0, 1)
    metrics = evaluate.open_loop(spec, nothing, window._replace(known=known), SETTINGS.rollout, "x")
    assert "x_tool_k1_cm" in metrics
    assert not any(name.startswith("x_ball") for name in metrics)


def test_points_group_coordinates() -> None:
    assert evaluate.points(("a_x", "a_y", "b_z", "angle")) == {"a": [0, 1], "b": [2], "angle": [3]}


def test_statistics_have_floors_and_ignore_unknown_labels(data: Dataset) -> None:
    still = np.zeros((5, 17))
    mean, std = proprio_statistics(still, joints=7)
    assert (mean == 0).all()
    assert std.tolist() == [0.05] * 14 + [0.02] * 3
    mask = data.label_mask.copy()
    mask[:, 3] = False
    mask[0, 3] = True
    mean, std = quantity_statistics(replace(data, label_mask=mask), np.arange(len(data)))
    assert mean[3] == pytest.approx(data.labels[0, 3])
    assert std[3] == 0.02


def test_a_quantity_without_labels_is_named(data: Dataset) -> None:
    mask = data.label_mask.copy()
    mask[:, 4] = False
    with pytest.raises(ConfigError, match="ball_y"):
        quantity_statistics(replace(data, label_mask=mask), np.arange(len(data)))


def test_frames_are_processed_as_on_the_robot(data: Dataset) -> None:
    from loopwm_ros.processing.images import prepare_image

    spec = describe(SETTINGS, data).spec
    frames = frames_at(data, spec, np.array([3, 7]))
    assert np.array_equal(frames.images[1].numpy(), prepare_image(spec, data.images[7]))
    assert abs(frames_at(data, spec, np.arange(len(data))).proprio.mean()) < 0.5
