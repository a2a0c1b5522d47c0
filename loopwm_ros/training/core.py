"""The looped dynamics core `L_theta` (Looped World Models, arXiv 2606.18208): prelude, block, gate, coda."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopwm_ros.training.block import Block, RetentionBlock, SelectiveBlock
from loopwm_ros.training.layers import near_identity, transformer_layers
from loopwm_ros.training.settings import CoreSettings


class Prelude(nn.Module):
    """`e = LayerNorm(P([h_{k-1}; e_k; u_k]))`: what is injected into every iteration, bounded by the norm."""

    def __init__(self, settings: CoreSettings, action_input: int) -> None:
        super().__init__()
        self.shape = (settings.tokens, settings.width)
        size = settings.tokens * settings.width
        self.embed_action = nn.Sequential(nn.Linear(action_input, size), nn.SiLU(), nn.Linear(size, size))
        self.join = nn.Linear(3 * settings.width, settings.width)
        self.layers = transformer_layers(settings, settings.prelude_layers)
        self.norm = nn.LayerNorm(settings.width)
        near_identity(self.join, blocks=2)

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """(batch, tokens, width) twice and (batch, action_input); zero `tokens` mean no observation."""
        width = self.shape[1]
        parts = [part.reshape(-1, width) for part in (state, tokens, self.embed_action(action))]
        joined = self.join(torch.cat(parts, dim=-1))
        return self.norm(self.layers(joined)).reshape(-1, *self.shape)


class DensePrelude(nn.Module):
    """The same on the flat state, without attention."""

    def __init__(self, settings: CoreSettings, action_input: int) -> None:
        super().__init__()
        self.shape = (settings.tokens, settings.width)
        size = settings.tokens * settings.width
        self.inward = nn.Linear(2 * size + action_input, settings.inner_width)
        self.outward = nn.Linear(settings.inner_width, size)
        self.norm = nn.LayerNorm(size)

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """(batch, tokens, width) twice and (batch, action_input); zero `tokens` mean no observation."""
        joined = self.inward(torch.cat([state.flatten(1), tokens.flatten(1), action], dim=-1))
        return self.norm(self.outward(functional.silu(joined))).reshape(-1, *self.shape)


def make_prelude(settings: CoreSettings, action_input: int) -> Prelude | DensePrelude:
    """The prelude that goes with the block."""
    return (DensePrelude if settings.block == "dense" else Prelude)(settings, action_input)


class Coda(nn.Module):
    """`h_k = C(C_proj h^(T))`."""

    def __init__(self, settings: CoreSettings) -> None:
        super().__init__()
        self.shape = (settings.tokens, settings.width)
        self.project = nn.Linear(settings.width, settings.width)
        self.layers = transformer_layers(settings, settings.coda_layers)
        near_identity(self.project, blocks=1)

    def forward(self, state: Tensor) -> Tensor:
        """(batch, tokens, width) to the same."""
        rows = self.project(state.reshape(-1, self.shape[1]))
        return self.layers(rows).reshape(-1, *self.shape)


class LoopedCore(nn.Module):
    """`h_k = L_theta(h_{k-1}, e_k, u_k)`, where action `u_k` led from step k-1 to step k."""

    def __init__(self, settings: CoreSettings, action_input: int) -> None:
        super().__init__()
        self.tracked, self.most = settings.tracked_loops, settings.max_loops
        self.masked = False  # whether `iterate_masked` is used on the CPU, too
        self.prelude = make_prelude(settings, action_input)
        fixed = settings.block == "retention"
        self.block: Block = RetentionBlock(settings) if fixed else SelectiveBlock(settings)
        self.coda = Coda(settings) if fixed else nn.Identity()

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor, loops: Tensor) -> Tensor:
        """One transition with `loops` (batch,) iterations, its own number for each sequence.

        Gradients flow through the last `tracked_loops` iterations of each sequence only, and through
        the prelude, whose result every iteration sees.
        """
        injected = self.prelude(state, tokens, action)
        if self.masked or state.is_cuda:
            return self.coda(self.iterate_masked(state, injected, loops.to(state.device)))
        tracked = loops.clamp(max=self.tracked)
        with torch.no_grad():
            advanced = self.iterate(state, injected, loops - tracked)
        whole = (loops <= self.tracked)[:, None, None]  # no iteration is cut off
        return self.coda(self.iterate(torch.where(whole, state, advanced), injected, tracked))

    def iterate(self, state: Tensor, injected: Tensor, loops: Tensor) -> Tensor:
        """Apply the block `loops` (batch,) times; a sequence that is done leaves the batch. For the CPU."""
        return each_its_own(lambda _, *given: self.block.step(*given), loops, state, injected)

    def iterate_masked(self, state: Tensor, injected: Tensor, loops: Tensor) -> Tensor:
        """The same with `most` iterations of the whole batch: no shape depends on a value. For a GPU."""
        for t in range(self.most):
            cut = (loops - self.tracked == t)[:, None, None] if t else None
            state = state if cut is None else torch.where(cut, state.detach(), state)
            going = (loops > t)[:, None, None]
            state = torch.where(going, self.block.step(state, injected), state)
        return state


def each_its_own(step: Callable[..., Tensor], loops: Tensor, state: Tensor, *given: Tensor) -> Tensor:
    """`state = step(t, state, *given)` for t from 0, `loops` (batch,) times; who is done leaves the batch."""
    loops, order = loops.sort(descending=True, stable=True)
    back = order.argsort()
    state, given = state[order], tuple(part[order] for part in given)
    done = []
    for t in range(int(loops[0])):
        count = int((loops > t).sum())
        done.append(state[count:])
        state = step(t, state[:count], *(part[:count] for part in given))
    return torch.cat([state, *done[::-1]])[back]
