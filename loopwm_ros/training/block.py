"""The looped block `R_theta` and its gate: with the spectral retention, or with a selective one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopwm_ros.training.layers import Retention, transformer_layers
from loopwm_ros.training.settings import CoreSettings

CHANGES = 32  # ways in which a state has changed that a gate tells apart
OPEN = 20.0  # log-odds of a gate that is open
LEAST_CHANGE = 1e-3  # one that it takes for none


class Block(nn.Module, ABC):
    """What is iterated, and its gate, which says when to stop."""

    @abstractmethod
    def step(self, state: Tensor, injected: Tensor) -> Tensor:
        """One iteration, (batch, tokens, width)."""

    @abstractmethod
    def gate_logit(self, before: Tensor, after: Tensor, injected: Tensor) -> Tensor:
        """Log-odds that the loop may end at `after`, which an iteration made of the other two, (batch,)."""

    def forward(self, state: Tensor, injected: Tensor) -> tuple[Tensor, Tensor]:
        """Next state and its gate in (0, 1), (batch,)."""
        following = self.step(state, injected)
        return following, torch.sigmoid(self.gate_logit(state, following, injected))


class StateGated(Block):
    """A block with the paper's gate `g = sigmoid(w_g . h + b_g)`."""

    gate: nn.Linear

    def add_gate(self, settings: CoreSettings) -> None:
        """Make the gate, half open whatever it sees."""
        self.gate = nn.Linear(settings.tokens * settings.width, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def gate_logit(self, before: Tensor, after: Tensor, injected: Tensor) -> Tensor:  # noqa: ARG002
        """Of the state `after` the iteration alone."""
        return self.gate(after.flatten(1))[:, 0]


class RetentionBlock(StateGated):
    """`h^(t+1) = Abar h^(t) + Bbar e + Rbar(h^(t), e)`: the paper's."""

    def __init__(self, settings: CoreSettings) -> None:
        super().__init__()
        self.shape = (settings.tokens, settings.width)
        self.retention = Retention(settings.width, settings.initial_retention, free=not settings.retention)
        self.layers = transformer_layers(settings, settings.block_layers)
        self.add_gate(settings)

    def step(self, state: Tensor, injected: Tensor) -> Tensor:
        """One iteration, (batch, tokens, width)."""
        rows, given = state.reshape(-1, self.shape[1]), injected.reshape(-1, self.shape[1])
        mixed = rows + given
        nonlinear = self.layers(mixed) - mixed
        return (self.retention(rows, given) + nonlinear).reshape(-1, *self.shape)


class SelectiveStep(nn.Module):
    """`h^(t+1) = Abar h^(t) + (1 - Abar) c(h^(t), e)` with `Abar = exp(-Delta(h^(t), e))`, for each value.

    The retention of `RetentionBlock` with a step length that depends on the input (Mamba, Gu & Dao 2023), and
    its zero-order hold in full: every entry of `Abar` is in (0, 1) and `c` is bounded, so the state is, too.
    What a transition does not touch has `Delta = 0` and stays as it is, however often the step is taken.
    """

    def __init__(self, settings: CoreSettings) -> None:
        """Its layers are as wide inside as `inner_width` says."""
        super().__init__()
        self.width = settings.width
        inner = settings.inner_width or settings.width
        self.widen = nn.Linear(self.width, inner) if inner != self.width else nn.Identity()
        self.layers = transformer_layers(settings, settings.block_layers, inner)
        self.norm = nn.LayerNorm(inner)
        self.proposed = nn.Linear(inner, self.width)
        self.rate = nn.Linear(inner, self.width)
        retain(self.rate, settings.initial_retention)

    def forward(self, state: Tensor, injected: Tensor) -> Tensor:
        """Both (batch, tokens, width), to the next state."""
        rows, given = state.reshape(-1, self.width), injected.reshape(-1, self.width)
        found = self.norm(self.layers(self.widen(rows + given)))
        taken = torch.sigmoid(self.rate(found))  # 1 - Abar, as exp(-softplus(x)) = 1 - sigmoid(x)
        return (rows + taken * (self.proposed(found) - rows)).reshape(state.shape)


class DenseStep(nn.Module):
    """`SelectiveStep` on the flat state: every value sees every other one, in two matrix products.

    `c` is a tanh, so that the state stays within [-1, 1] once it is there.
    """

    def __init__(self, settings: CoreSettings) -> None:
        super().__init__()
        size, inner = settings.tokens * settings.width, settings.inner_width
        self.inward = nn.Linear(2 * size, inner)
        self.deeper = nn.Sequential(
            *(part for _ in range(settings.block_layers - 1) for part in (nn.SiLU(), nn.Linear(inner, inner)))
        )
        self.proposed = nn.Linear(inner, size)
        self.rate = nn.Linear(inner, size)
        retain(self.rate, settings.initial_retention)

    def forward(self, state: Tensor, injected: Tensor) -> Tensor:
        """Both (batch, tokens, width), to the next state."""
        flat = state.flatten(1)
        found = functional.silu(self.deeper(self.inward(torch.cat([flat, injected.flatten(1)], dim=-1))))
        taken = torch.sigmoid(self.rate(found))
        return (flat + taken * (torch.tanh(self.proposed(found)) - flat)).reshape(state.shape)


def selective_step(settings: CoreSettings) -> SelectiveStep | DenseStep:
    """A step of the kind that the settings name."""
    return DenseStep(settings) if settings.block == "dense" else SelectiveStep(settings)


class SelectiveBlock(StateGated):
    """A block whose iteration is one step with selective retention."""

    def __init__(self, settings: CoreSettings) -> None:
        super().__init__()
        self.selective = selective_step(settings)
        self.add_gate(settings)
        self.changes = nn.Linear(settings.tokens * settings.width, CHANGES, bias=False)
        self.weigh = nn.Linear(CHANGES, 1)

    def step(self, state: Tensor, injected: Tensor) -> Tensor:
        """One iteration, (batch, tokens, width)."""
        following: Tensor = self.selective(state, injected)
        return following

    def gate_logit(self, before: Tensor, after: Tensor, injected: Tensor) -> Tensor:
        """The same; the paper's gate sees `after` alone, this one what the iteration has changed as well."""
        changed = torch.log(self.changes((after - before).flatten(1)).abs() + LEAST_CHANGE)
        return super().gate_logit(before, after, injected) + self.weigh(changed)[:, 0]


def retain(rate: nn.Linear, initial: float) -> None:
    """Make `Abar` start near `initial`, in (0, 1), where `rate` gives `Delta` before its softplus."""
    nn.init.constant_(rate.bias, math.log(math.expm1(-math.log(initial))))
