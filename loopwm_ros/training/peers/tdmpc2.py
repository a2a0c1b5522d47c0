"""What TD-MPC2 computes for one plan (Hansen, Su & Wang 2024, "TD-MPC2: Scalable, Robust World Models ...").

Written anew from the paper: layers and sizes of its section 3 and appendix, MPPI as in its algorithm 1.
Weights are random, which changes no time. Its image encoder is left out: this is less than a cycle of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SIMNORM = 8  # values that share a softmax
BINS = 101  # of a reward or value, log-transformed
BIN_RANGE = 10.0
LOG_STD = (-10.0, 2.0)
CHOSEN = 2  # critics that a return is the mean of, drawn anew each time


@dataclass(frozen=True)
class Size:
    """One of the published models."""

    latent: int
    hidden: int
    critics: int


SIZES = {"1m": Size(128, 384, 2), "5m": Size(512, 512, 5)}


@dataclass(frozen=True)
class Search:
    """Published settings of the planner."""

    samples: int = 512
    elites: int = 64
    proposals: int = 24  # trajectories of the policy among the samples
    horizon: int = 3
    iterations: int = 6
    temperature: float = 0.5
    std: tuple[float, float] = (0.05, 2.0)
    discount: float = 0.99


class SimNorm(nn.Module):
    """Softmax over groups of a latent's values."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.softmax(x.unflatten(-1, (-1, SIMNORM)), dim=-1).flatten(-2)


def _layers(inputs: int, hidden: int, outputs: int, last: nn.Module | None = None) -> nn.Sequential:
    """Two hidden layers with LayerNorm and Mish; `last` follows a normalised output."""
    end = [nn.Linear(hidden, outputs)] + ([nn.LayerNorm(outputs), last] if last else [])
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.Mish(),
        nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.Mish(),
        *end,
    )  # fmt: skip


class Critics(nn.Module):
    """An ensemble of networks, run as one batch of products."""

    def __init__(self, count: int, inputs: int, hidden: int) -> None:
        super().__init__()
        sizes = [(inputs, hidden), (hidden, hidden), (hidden, BINS)]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(count, a, b) / math.sqrt(a)) for a, b in sizes
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(count, 1, b)) for _, b in sizes)
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(count, 1, hidden)) for _ in sizes[:-1])
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(count, 1, hidden)) for _ in sizes[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """(rows, inputs) to (critics, rows, bins)."""
        x = x.expand(len(self.weights[0]), *x.shape)
        for scale, shift, weight, bias in zip(
            self.scales, self.shifts, self.weights, self.biases, strict=False
        ):
            x = torch.baddbmm(bias, x, weight)
            x = functional.mish(functional.layer_norm(x, x.shape[-1:]) * scale + shift)
        return torch.baddbmm(self.biases[-1], x, self.weights[-1])


class TdMpc2(nn.Module):
    """Latent dynamics, reward, policy and critics, and the search through them."""

    bins: Tensor

    def __init__(self, size: Size, action_dim: int, search: Search | None = None) -> None:
        super().__init__()
        self.search, self.action_dim, self.latent = search or Search(), action_dim, size.latent
        told = size.latent + action_dim
        self.dynamics = _layers(told, size.hidden, size.latent, SimNorm())
        self.reward = _layers(told, size.hidden, BINS)
        self.policy = _layers(size.latent, size.hidden, 2 * action_dim)
        self.critics = Critics(size.critics, told, size.hidden)
        self.register_buffer("bins", torch.linspace(-BIN_RANGE, BIN_RANGE, BINS))

    @torch.no_grad()
    def plan(self, state: Tensor, mean: Tensor) -> Tensor:
        """Actions (horizon, action_dim) from a latent (1, latent), the last plan's `mean` shifted."""
        search = self.search
        proposals = self._proposals(state)
        states = state.expand(search.samples, -1)
        std = torch.full_like(mean, search.std[1])
        others = (search.horizon, search.samples - search.proposals, self.action_dim)
        for _ in range(search.iterations):
            drawn = mean[:, None] + std[:, None] * mean.new_empty(others).normal_()
            actions = torch.cat([proposals, drawn.clamp(-1, 1)], dim=1)
            values = self._value(states, actions).nan_to_num(0.0)
            best = values.topk(search.elites).indices
            score = torch.exp(search.temperature * (values[best] - values[best].max()))
            share = (score / score.sum())[:, None]
            elite = actions[:, best]
            mean = (share * elite).sum(1)
            std = (share * (elite - mean[:, None]).square()).sum(1).sqrt().clamp(*search.std)
        return mean

    def _proposals(self, state: Tensor) -> Tensor:
        """The policy's own trajectories (horizon, proposals, action_dim)."""
        states, actions = state.expand(self.search.proposals, -1), []
        for step in range(self.search.horizon):
            actions.append(self._act(states))
            if step < self.search.horizon - 1:
                states = self.dynamics(torch.cat([states, actions[-1]], dim=-1))
        return torch.stack(actions)

    def _value(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return of each sample, (samples,)."""
        total, discount = states.new_zeros(len(states)), 1.0
        for action in actions:
            told = torch.cat([states, action], dim=-1)
            total = total + discount * self._scalar(self.reward(told))
            states, discount = self.dynamics(told), discount * self.search.discount
        told = torch.cat([states, self._act(states)], dim=-1)
        logits = self.critics(told)
        if len(logits) > CHOSEN:
            logits = logits[torch.randperm(len(logits))[:CHOSEN]]
        return total + discount * self._scalar(logits).mean(0)

    def _act(self, states: Tensor) -> Tensor:
        mean, log_std = self.policy(states).chunk(2, dim=-1)
        low, high = LOG_STD
        log_std = low + 0.5 * (high - low) * (torch.tanh(log_std) + 1)
        return torch.tanh(mean + log_std.exp() * torch.randn_like(mean))

    def _scalar(self, logits: Tensor) -> Tensor:
        """Expected value of a distribution over bins, back from its logarithm."""
        value = (functional.softmax(logits, dim=-1) * self.bins).sum(-1)
        return value.sign() * (value.abs().exp() - 1)
