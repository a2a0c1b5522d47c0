"""Batches for all seeds of an arm at once, drawn where the bank is: no step waits for the host."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from loopwm_ros.training.model import drawn_loops, first_probed
from loopwm_ros.training.settings import CoreSettings, RolloutSettings
from loopwm_ros.training.windows import Bank, Starts, Window, chunk_lengths, draw_mixed, windows_at


class Draws(NamedTuple):
    """Arguments of the loss, seeds first where they differ by seed."""

    start: Tensor  # (seeds, batch, tokens, width)
    window: Window  # (steps, seeds, batch, ...)
    loops: Tensor  # (seeds, steps, batch)
    probed: Tensor  # (1,)


class Sampler:
    """Draws windows, states to start from, and iterations; from torch's default generator of the device."""

    def __init__(
        self,
        bank: Bank,
        stride: int,
        chunk: int,
        rollout: RolloutSettings,
        core: CoreSettings,
        unpredicted: list[int],
    ) -> None:
        """`unpredicted`: columns on whose future no loss is put; `stride`: frames of one action."""
        self._bank, self._stride, self._chunk = bank, stride, chunk
        self._rollout, self._core = rollout, core
        self._predicted = torch.ones(bank.known.shape[1], dtype=torch.bool, device=bank.known.device)
        self._predicted[unpredicted] = False
        self._loops = _distribution(core).to(bank.tokens.device)

    def draw(self, starts: Starts, transitions: int, seeds: int, size: int) -> Draws:
        """A batch of `size` windows for each seed, with so many imagined transitions."""
        device, rollout = self._bank.tokens.device, self._rollout
        horizon = transitions * self._chunk
        lengths = chunk_lengths(
            rollout.context, horizon, self._chunk, seeds * size, rollout.partial_share, None, device
        )
        first = draw_mixed(starts, rollout.moving_share, size, None, seeds)
        window = windows_at(self._bank, self._chunk, self._stride, first.flatten(), lengths)
        window = Window(*(part.unflatten(1, (seeds, size)) for part in window))
        window = window._replace(known=window.known & self._predicted)
        begin = torch.randn(seeds, size, *self._bank.tokens.shape[1:], device=device)
        probed = torch.randint(first_probed(self._core, rollout.context), len(lengths), (1,), device=device)
        return Draws(begin, window, self._drawn_loops(seeds, len(lengths), size), probed)

    def _drawn_loops(self, seeds: int, steps: int, size: int) -> Tensor:
        """Iterations (seeds, steps, size), by the inverse of their distribution's sum."""
        shape, device = (seeds, steps, size), self._loops.device
        if self._core.max_loops == 1:
            return torch.ones(shape, dtype=torch.long, device=device)
        drawn = torch.rand(seeds, *drawn_loops(self._core, steps, size), device=device)
        return 1 + torch.bucketize(drawn, self._loops, right=True).expand(shape)


def _distribution(core: CoreSettings) -> Tensor:
    """Chance that T is at most 1, 2, ... max_loops - 1 (`model.draw_loops`)."""
    if core.draw_loops == "fixed":
        return torch.tensor([float(t >= core.mean_loops) for t in range(1, core.max_loops)])
    if core.draw_loops == "uniform":
        return torch.arange(1, core.max_loops) / core.max_loops
    mu = core.mean_loops
    chances = [math.exp(-mu) * mu**t / math.factorial(t) for t in range(core.max_loops)]
    return torch.tensor(chances).cumsum(0)[1:]
