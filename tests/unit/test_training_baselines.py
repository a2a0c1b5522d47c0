from itertools import pairwise

import pytest
import torch
from pydantic import ValidationError

from loopwm_ros.training.baselines import OnePassCore
from loopwm_ros.training.model import fixed_loops, make_core
from loopwm_ros.training.rssm import Rssm
from loopwm_ros.training.settings import CoreSettings
from tests.cores import CoreInputs, core_inputs

SIZE = {"tokens": 3, "width": 16, "heads": 2, "hidden": 16, "mean_loops": 1, "max_loops": 1}
KINDS = {
    "fixed_depth": {"layers": 2, "inner_width": 32},
    "gru": {"inner_width": 24},
    "rssm": {"inner_width": 24},
    "latent_mlp": {"inner_width": 24},
}


def core_of(kind: str) -> OnePassCore:
    torch.manual_seed(0)
    core = make_core(CoreSettings(kind=kind, **SIZE, **KINDS[kind]), action_input=5)
    assert isinstance(core, OnePassCore)
    return core.eval()


@pytest.fixture
def inputs() -> CoreInputs:
    return core_inputs()


@pytest.mark.parametrize("kind", KINDS)
def test_the_graphs_one_after_the_other_are_the_core(kind: str, inputs: tuple[torch.Tensor, ...]) -> None:
    core = core_of(kind)
    injected = core.prelude(*inputs)
    following, gate = core.block(inputs[0], injected)
    assert torch.allclose(core.coda(following), core(*inputs, fixed_loops(1, 4)))
    assert (gate > 0.999).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_input_matters_and_every_weight_learns(kind: str, inputs: tuple[torch.Tensor, ...]) -> None:
    core = core_of(kind)
    imagined = inputs[0], torch.zeros_like(inputs[1]), inputs[2]
    seen, blind = core.prelude(*inputs), core.prelude(*imagined)
    assert not torch.allclose(seen, blind)
    assert not torch.allclose(core.prelude(imagined[0], imagined[1], -imagined[2]), blind)
    assert not torch.allclose(core.prelude(-imagined[0], imagined[1], imagined[2]), blind)
    (seen.square().sum() + blind.square().sum()).backward()
    assert [name for name, p in core.named_parameters() if p.grad is None or not p.grad.abs().sum()] == []


def test_the_latent_mlp_reads_an_observation_alone(inputs: tuple[torch.Tensor, ...]) -> None:
    core, (state, tokens, action) = core_of("latent_mlp"), inputs
    assert torch.equal(core.prelude(state, tokens, action), core.prelude(-state, tokens, 2 * action))
    groups = core.prelude(state, tokens, action).reshape(4, -1, 8)
    assert torch.allclose(groups.sum(-1), torch.full(groups.shape[:2], 8.0), atol=1e-4)


def test_the_state_space_model_draws_in_training_alone(inputs: tuple[torch.Tensor, ...]) -> None:
    core = core_of("rssm")
    assert torch.equal(core.prelude(*inputs), core.prelude(*inputs))
    core.train()
    first, second = core.prelude(*inputs).flatten(1), core.prelude(*inputs).flatten(1)
    deterministic = core.prelude.deterministic
    assert torch.equal(first[:, :deterministic], second[:, :deterministic])
    assert not torch.allclose(first[:, deterministic:], second[:, deterministic:])


def test_divergence_is_that_of_the_two_gaussians(inputs: tuple[torch.Tensor, ...]) -> None:
    rssm = core_of("rssm").prelude
    assert isinstance(rssm, Rssm)
    believed = rssm.beliefs(*inputs)
    normal = torch.distributions.Normal
    exact = torch.distributions.kl_divergence(
        normal(believed.posterior_mean, believed.posterior_std),
        normal(believed.prior_mean, believed.prior_std),
    )
    assert rssm.divergence(*inputs).item() == pytest.approx(
        max(0.0, exact.sum(-1).mean().item() - 1.0), rel=1e-4
    )


def test_a_deep_stack_starts_as_calm_as_a_shallow_one(inputs: tuple[torch.Tensor, ...]) -> None:
    sizes = []
    for layers in (2, 8, 32):
        torch.manual_seed(0)
        core = make_core(CoreSettings(kind="fixed_depth", layers=layers, **SIZE), action_input=5)
        sizes.append(core.prelude.layers(inputs[0].reshape(-1, 16)).square().mean().item())
    assert all(after < 2 * before for before, after in pairwise(sizes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "gru", **SIZE}, "needs an inner_width"),
        ({"kind": "fixed_depth", **SIZE}, "needs layers"),
        ({"kind": "gru", "inner_width": 8}, "has no loop"),
    ],
)
def test_settings_that_make_no_core_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CoreSettings.model_validate(changes)
