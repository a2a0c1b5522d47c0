"""Everything that depends on the step alone: horizon, learning rate, random streams."""

from __future__ import annotations

import math

import torch

from loopwm_ros.training.settings import StageSettings


def curriculum_horizon(step: int, horizon: int, every: int) -> int:
    """`K(step) = min(K_max, 1 + floor(step / Delta_steps))`."""
    return min(horizon, 1 + step // every)


def learning_rate(step: int, settings: StageSettings) -> float:
    """Linear warm-up, then a half cosine down to `final_rate` of the learning rate."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    share = settings.final_rate + (1 - settings.final_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return settings.learning_rate * share


def average_decay(step: int, decay: float) -> float:
    """Decay of the averaged weights: short memory at first, so that the start is forgotten."""
    return min(decay, (1 + step) / (10 + step))


def step_generator(seed: int, stage: str, step: int, rank: int) -> torch.Generator:
    """The random stream of one step of one process: what makes a resumed run equal an unbroken one."""
    mixed = 0
    for part in (seed, sum(stage.encode()), step, rank):
        mixed = (mixed * 1_000_003 + part + 1) % (2**63 - 1)
    return torch.Generator().manual_seed(mixed)
