"""A core that iterates along time: its iterations share out the actions of a transition between them.

T iterations of `LoopedCore` apply its block T times to one and the same input. Here a transition of n actions
is cut into T parts, as equal as can be, and each iteration is the same small transition over its own part:
`h^(t+1) = R(h^(t), e^(t))` with `e^(t) = P(h^(t), u_(part t))`. One iteration is a leap over the whole chunk;
more are shorter, more exact steps, as of a solver of differential equations whose step length may change.

Early exit compares nothing that comes for free, so it costs an iteration: the leap is taken first, and the
gate, which sees what the leap has changed, says whether it will do. Where not, the parts follow.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopwm_ros.training.block import Block, selective_step
from loopwm_ros.training.core import each_its_own, make_prelude
from loopwm_ros.training.settings import CoreSettings


class LeapGate(nn.Module):
    """What a leap began from, was told and has changed, to the log-odds that it will do."""

    def __init__(self, settings: CoreSettings) -> None:
        """It is half as wide inside as the steps are."""
        super().__init__()
        hidden = (settings.inner_width or settings.width) // 2
        self.inward = nn.Linear(3 * settings.tokens * settings.width, hidden)
        self.outward = nn.Linear(hidden, 1)

    def forward(self, before: Tensor, after: Tensor, injected: Tensor) -> Tensor:
        """Each (batch, tokens, width); to (batch,)."""
        seen = torch.cat([before, after - before, injected], dim=1).flatten(1)
        return self.outward(functional.silu(self.inward(seen)))[:, 0]


class PartBlock(Block):
    """One step over a part, with a gate for leaps."""

    def __init__(self, settings: CoreSettings) -> None:
        super().__init__()
        self.selective = selective_step(settings)
        self.leap_gate = LeapGate(settings)

    def step(self, state: Tensor, injected: Tensor) -> Tensor:
        """The state after the part, (batch, tokens, width)."""
        following: Tensor = self.selective(state, injected)
        return following

    def gate_logit(self, before: Tensor, after: Tensor, injected: Tensor) -> Tensor:
        """Log-odds that shorter steps would lead from `before` nowhere else than to `after`, (batch,)."""
        logit: Tensor = self.leap_gate(before, after, injected)
        return logit


class PartsCore(nn.Module):
    """`h_k = L_theta(h_{k-1}, e_k, u_k)` in T steps, each over a part of the actions `u_k`."""

    def __init__(self, settings: CoreSettings, action_input: int, chunk: int) -> None:
        super().__init__()
        self.chunk, self.most = chunk, settings.max_loops
        self.masked = False  # whether no shape may depend on a value, on the CPU, too
        self.prelude = make_prelude(settings, action_input)
        self.block = PartBlock(settings)
        self.coda = nn.Identity()

    def once(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """One step over all of `action`, (batch, tokens, width)."""
        return self.block.step(state, self.prelude(state, tokens, action))

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor, loops: Tensor) -> Tensor:
        """One transition in `loops` (batch,) steps, `max_loops` at most, its own number for each sequence."""
        loops = torch.minimum(loops.to(state.device), told_actions(action, self.chunk)).clamp(max=self.most)
        if self.masked or state.is_cuda:
            return self.in_steps(state, tokens, action, loops, self.most)
        return each_its_own(self._step, loops, state, tokens, action, loops)

    def _step(self, t: int, state: Tensor, tokens: Tensor, action: Tensor, loops: Tensor) -> Tensor:
        """The step over part `t`, where there are `loops` (batch,)."""
        return self.once(state, tokens, part_of(action, t, loops, self.chunk))

    def in_steps(self, state: Tensor, tokens: Tensor, action: Tensor, loops: Tensor, most: int) -> Tensor:
        """The same by `most` steps of the whole batch, where no row has more `loops` or fewer actions.

        No shape depends on a value, as a GPU has it.
        """
        for t in range(most):
            following = self._step(t, state, tokens, action, loops)
            state = torch.where((loops > t)[:, None, None], following, state)
        return state


class UntiedParts(nn.Module):
    """The same steps over as many parts as there are `layers`, each with parameters of its own."""

    def __init__(self, settings: CoreSettings, action_input: int, chunk: int) -> None:
        super().__init__()
        self.chunk = chunk
        self.preludes = nn.ModuleList(make_prelude(settings, action_input) for _ in range(settings.layers))
        self.blocks = nn.ModuleList(selective_step(settings) for _ in range(settings.layers))

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> Tensor:
        """Next state (batch, tokens, width); a step whose part is empty is left out."""
        parts = torch.full_like(action[:, -1], len(self.blocks), dtype=torch.long)
        for t, (prelude, block) in enumerate(zip(self.preludes, self.blocks, strict=True)):
            part = part_of(action, t, parts, self.chunk)
            following = block(state, prelude(state, tokens, part))
            state = torch.where((part[:, -1] > 0)[:, None, None], following, state)
        return state


def told_actions(action: Tensor, chunk: int) -> Tensor:
    """How many actions a transition is told of (`processing.states.chunked`), (batch,)."""
    return (action[:, -1] * chunk).round().long().clamp(1, chunk)


def part_of(action: Tensor, t: int, parts: Tensor, chunk: int) -> Tensor:
    """`processing.states.part_between` of a batch (batch, action_input), each cut into `parts` of its own."""
    count = told_actions(action, chunk)
    begin, end = count * t // parts, count * (t + 1) // parts
    at = begin[:, None] + torch.arange(chunk, device=action.device)
    actions = action[:, :-1].unflatten(1, (chunk, -1))
    taken = actions.gather(1, at.clamp(max=chunk - 1)[..., None].expand_as(actions))
    taken = taken * (at < end[:, None])[..., None]
    share = ((end - begin) / chunk).to(action.dtype)
    return torch.cat([taken.flatten(1), share[:, None]], dim=1)
