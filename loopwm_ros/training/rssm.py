"""A recurrent state-space model (PlaNet, Hafner et al. 2019), to compare the looped core with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopwm_ros.training.baselines import observed
from loopwm_ros.training.settings import CoreSettings

LEAST_STD = 0.1
FREE_NATS = 1.0  # of the divergence, per step


class Beliefs(NamedTuple):
    """Gaussians over the stochastic part of one step, (batch, stochastic) each."""

    deterministic: Tensor
    prior_mean: Tensor
    prior_std: Tensor
    posterior_mean: Tensor
    posterior_std: Tensor


class Rssm(nn.Module):
    """The last quarter of the flat state is stochastic, the rest a GRU's; in use, means are taken."""

    def __init__(self, settings: CoreSettings, action_input: int) -> None:
        super().__init__()
        self.shape = (settings.tokens, settings.width)
        size, hidden = settings.tokens * settings.width, settings.inner_width
        self.stochastic = size // 4
        self.deterministic = size - self.stochastic
        self.inputs = nn.Sequential(nn.Linear(self.stochastic + action_input, hidden), nn.SiLU())
        self.gates = nn.Linear(self.deterministic + hidden, 2 * self.deterministic)
        self.candidate = nn.Linear(self.deterministic + hidden, self.deterministic)
        self.prior = _belief(self.deterministic, hidden, self.stochastic)
        self.posterior = _belief(self.deterministic + size, hidden, self.stochastic)

    def beliefs(self, state: Tensor, tokens: Tensor, action: Tensor) -> Beliefs:
        """Prior and posterior of the step that `action` leads to."""
        before, drawn = state.flatten(1).split([self.deterministic, self.stochastic], dim=-1)
        given = self.inputs(torch.cat([drawn, action], dim=-1))
        keep, reset = torch.sigmoid(self.gates(torch.cat([before, given], dim=-1))).chunk(2, dim=-1)
        proposed = torch.tanh(self.candidate(torch.cat([reset * before, given], dim=-1)))
        after = keep * before + (1 - keep) * proposed
        prior = _split(self.prior(after))
        return Beliefs(after, *prior, *_split(self.posterior(torch.cat([after, tokens.flatten(1)], dim=-1))))

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """Next state (batch, tokens, width): the posterior where something is seen, else the prior."""
        beliefs = self.beliefs(state, tokens, action)
        seen = observed(tokens)[:, None]
        mean = torch.where(seen, beliefs.posterior_mean, beliefs.prior_mean)
        if self.training:
            std = torch.where(seen, beliefs.posterior_std, beliefs.prior_std)
            mean = mean + std * torch.randn_like(std)
        return torch.cat([beliefs.deterministic, mean], dim=-1).reshape(-1, *self.shape)

    def divergence(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """KL of the posterior from the prior beyond the free nats, mean over the batch [nat]."""
        b = self.beliefs(state, tokens, action)
        ratio = (b.posterior_std / b.prior_std).square()
        moved = ((b.posterior_mean - b.prior_mean) / b.prior_std).square()
        return torch.relu(0.5 * (ratio + moved - 1 - ratio.log()).sum(-1).mean() - FREE_NATS)


def _belief(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, 2 * outputs))


def _split(belief: Tensor) -> tuple[Tensor, Tensor]:
    mean, raw = belief.chunk(2, dim=-1)
    return mean, functional.softplus(raw) + LEAST_STD
