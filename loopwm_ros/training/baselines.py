"""Cores without a loop, to compare the looped one with: fixed depth, GRU, latent MLP.

All of one transition is in their `prelude`; `block` hands it on with an open gate and `coda` is the identity.
So they train, export and run as the looped core does.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from loopwm_ros.training.block import OPEN, selective_step
from loopwm_ros.training.core import make_prelude
from loopwm_ros.training.layers import TransformerLayer, near_identity, transformer_layers
from loopwm_ros.training.settings import CoreSettings


class OnePass(nn.Module):
    """What stands for the looped block where there is no loop."""

    def step(self, state: Tensor, injected: Tensor) -> Tensor:  # noqa: ARG002
        """The state that the prelude has made."""
        return injected

    def gate_logit(self, before: Tensor, after: Tensor, injected: Tensor) -> Tensor:  # noqa: ARG002
        """An open gate, (batch,)."""
        return OPEN + 0 * after[:, 0, 0]

    def forward(self, state: Tensor, injected: Tensor) -> tuple[Tensor, Tensor]:
        """The next state and its gate; `state` is read, for a graph keeps its inputs."""
        return injected + 0 * state, torch.sigmoid(self.gate_logit(state, injected, injected))


class OnePassCore(nn.Module):
    """`h_k = transition(h_{k-1}, e_k, u_k)`, whatever the number of loops that is asked for."""

    def __init__(self, transition: nn.Module) -> None:
        super().__init__()
        self.prelude, self.block, self.coda = transition, OnePass(), nn.Identity()

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor, loops: Tensor) -> Tensor:  # noqa: ARG002
        """One transition, (batch, tokens, width)."""
        following: Tensor = self.prelude(state, tokens, action)
        return following


class FixedDepth(nn.Module):
    """Transformer layers with parameters of their own; as wide inside as `inner_width` says."""

    def __init__(self, settings: CoreSettings, action_input: int) -> None:
        super().__init__()
        width, inner = settings.width, settings.inner_width or settings.width
        self.shape = (settings.tokens, width)
        size = settings.tokens * width
        self.embed_action = nn.Sequential(nn.Linear(action_input, size), nn.SiLU(), nn.Linear(size, size))
        self.join = nn.Linear(3 * width, width)
        near_identity(self.join, blocks=2)
        self.widen = nn.Linear(width, inner) if inner != width else nn.Identity()
        self.layers = transformer_layers(settings, settings.layers, inner)
        self.norm = nn.LayerNorm(inner)
        self.narrow = nn.Linear(inner, width)
        scale = settings.layers**-0.5  # of what each layer adds, so that a deep stack starts as a shallow one
        with torch.no_grad():
            for layer in self.layers:
                assert isinstance(layer, TransformerLayer)
                for linear in layer.last:
                    linear.weight.mul_(scale)

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """Next state (batch, tokens, width)."""
        width = self.shape[1]
        parts = [part.reshape(-1, width) for part in (state, tokens, self.embed_action(action))]
        inside = self.layers(self.widen(self.join(torch.cat(parts, dim=-1))))
        following: Tensor = self.narrow(self.norm(inside))
        return following.reshape(-1, *self.shape)


class Untied(nn.Module):
    """The selective loop with parameters of its own in each of a fixed number of steps."""

    def __init__(self, settings: CoreSettings, action_input: int) -> None:
        super().__init__()
        self.inject = make_prelude(settings, action_input)
        self.steps = nn.ModuleList(selective_step(settings) for _ in range(settings.layers))

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """Next state (batch, tokens, width)."""
        given = self.inject(state, tokens, action)
        for step in self.steps:
            state = step(state, given)
        return state


class Recurrent(nn.Module):
    """A GRU cell (Cho et al. 2014) over the flat state; written out for small exported graphs."""

    def __init__(self, settings: CoreSettings, action_input: int) -> None:
        super().__init__()
        self.shape = (settings.tokens, settings.width)
        size, hidden = settings.tokens * settings.width, settings.inner_width
        self.inputs = nn.Sequential(nn.Linear(size + action_input, hidden), nn.SiLU())
        self.gates = nn.Linear(size + hidden, 2 * size)
        self.candidate = nn.Linear(size + hidden, size)

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """Next state (batch, tokens, width), each value in (-1, 1) once it has been seen a while."""
        before = state.flatten(1)
        given = self.inputs(torch.cat([tokens.flatten(1), action], dim=-1))
        keep, reset = torch.sigmoid(self.gates(torch.cat([before, given], dim=-1))).chunk(2, dim=-1)
        proposed = torch.tanh(self.candidate(torch.cat([reset * before, given], dim=-1)))
        return (keep * before + (1 - keep) * proposed).reshape(-1, *self.shape)


class SimNorm(nn.Module):
    """Softmax over groups of 8 values (TD-MPC2, Hansen et al. 2024), scaled to the tokens' size."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, size) to the same; each group sums to its length."""
        return 8 * torch.softmax(x.unflatten(-1, (-1, 8)), dim=-1).flatten(-2)


class LatentMlp(nn.Module):
    """A latent MLP as TD-MPC2's: one network encodes what is seen, another one advances what is imagined."""

    def __init__(self, settings: CoreSettings, action_input: int) -> None:
        super().__init__()
        self.shape = (settings.tokens, settings.width)
        size, hidden = settings.tokens * settings.width, settings.inner_width
        self.encode = _normed(size, hidden, size, depth=0)
        self.advance = _normed(size + action_input, hidden, size, depth=2)

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """Next state (batch, tokens, width): of the observation alone where there is one."""
        seen = self.encode(tokens.flatten(1))
        imagined = self.advance(torch.cat([state.flatten(1), action], dim=-1))
        return torch.where(observed(tokens)[:, None], seen, imagined).reshape(-1, *self.shape)


def observed(tokens: Tensor) -> Tensor:
    """Which of a batch are observations, (batch,): zeros stand for none."""
    return tokens.abs().amax(dim=(1, 2)) > 0


def _normed(inputs: int, hidden: int, outputs: int, depth: int) -> nn.Sequential:
    """Linear layers, all but the last with LayerNorm and SiLU, then SimNorm; TD-MPC2 has Mish."""
    sizes = [inputs, *[hidden] * depth]
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs), nn.LayerNorm(outputs), SimNorm())
