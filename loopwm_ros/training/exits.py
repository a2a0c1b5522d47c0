"""Where one transition may end, and what the gate says of each of these states."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from loopwm_ros.training.block import OPEN
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.parts import PartsCore, told_actions


class Exits(NamedTuple):
    """States at which a transition may end, the last one without a choice."""

    states: Tensor  # before the coda, (exits, batch, tokens, width)
    before: Tensor  # that the iteration to each began from, (exits, batch, tokens, width)
    injected: Tensor  # into that iteration, (batch, tokens, width)
    loops: Tensor  # iterations up to each, (exits, batch)


def exits_of(model: LoopWM, state: Tensor, tokens: Tensor, action: Tensor, loops: int) -> Exits:
    """Those of a transition from `state` (batch, tokens, width) with at most `loops` iterations.

    `h^(1) .. h^(loops)`; of a core that iterates over parts, a leap, and where one part less than `loops`
    leads to.
    """
    core = model.core
    injected = core.prelude(state, tokens, action)
    if isinstance(core, PartsCore):
        parts = told_actions(action, core.chunk).clamp(max=loops - 1)
        ends = [core.block.step(state, injected), core(state, tokens, action, parts)]
        used = torch.stack([torch.ones_like(parts), 1 + parts])
        return Exits(torch.stack(ends), state.expand(2, *state.shape), injected, used)
    states = [state]
    for _ in range(loops):
        states.append(core.block.step(states[-1], injected))
    used = torch.arange(1, loops + 1, device=state.device)[:, None].expand(loops, len(state))
    return Exits(torch.stack(states[1:]), torch.stack(states[:-1]), injected, used)


def gate_logits(model: LoopWM, exits: Exits) -> Tensor:
    """Log-odds that each exit is taken, (exits, batch); gradients reach the gate alone."""
    block, states, before, injected = model.core.block, *(part.detach() for part in exits[:3])
    if isinstance(model.core, PartsCore):
        leap = block.gate_logit(before[0], states[0], injected)
        return torch.stack([leap, torch.full_like(leap, OPEN)])
    given = injected.expand(states.shape)
    logits: Tensor = block.gate_logit(before.flatten(0, 1), states.flatten(0, 1), given.flatten(0, 1))
    return logits.unflatten(0, states.shape[:2])
