"""Parameters, and floating-point operations as torch counts them: those of products and convolutions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from loopwm_ros.processing.states import chunked, spans
from loopwm_ros.training.evaluate import device_of
from loopwm_ros.training.evaluation.results import Flops
from loopwm_ros.training.evaluation.rollouts import Rule, transition
from loopwm_ros.training.evaluation.subjects import Subject

BATCHES = (1, 64)
HORIZON = 64  # base steps of a rollout


def parameters(subject: Subject) -> dict[str, int]:
    """Of each part of the model."""
    model = subject.model
    parts = {"core": model.core, "heads": model.heads, "monitor": model.monitor, "encoder": model.encoder}
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


@torch.no_grad()
def flops(subject: Subject) -> Flops:
    """Of each graph for one candidate, and of whole transitions and rollouts with `mean_loops` iterations."""
    model, spec, device = subject.model, subject.spec, device_of(subject.model)
    core, rule = model.core, Rule(spec.mean_loops)
    actions = np.zeros((max(BATCHES), spec.chunk, spec.action_dim), dtype=np.float32)
    told = torch.from_numpy(chunked(spec, actions)).to(device)
    state = torch.zeros(max(BATCHES), spec.tokens, spec.width, device=device)
    image = torch.zeros(1, 3, spec.image_height, spec.image_width, device=device)
    proprio = torch.zeros(1, len(spec.proprio_mean), device=device)

    def rollout(batch: int) -> None:
        following = state[:batch]
        for _ in spans(spec, HORIZON):
            following, _ = transition(model, following, state[:batch], told[:batch], rule)
        model.heads(following)

    graphs: dict[str, Callable[[], object]] = {
        "encoder": lambda: model.encoder(image, proprio),
        "prelude": lambda: core.prelude(state[:1], state[:1], told[:1]),
        "block": lambda: core.block(state[:1], state[:1]),
        "coda": lambda: core.coda(state[:1]),
        "heads": lambda: model.heads(state[:1]),
    }
    return Flops(
        graphs={name: counted(call) for name, call in graphs.items()},
        transition={
            batch: counted(lambda b=batch: transition(model, state[:b], state[:b], told[:b], rule))  # type: ignore[misc]
            for batch in BATCHES
        },
        rollout={batch: counted(lambda b=batch: rollout(b)) for batch in BATCHES},  # type: ignore[misc]
    )


def counted(call: Callable[[], object]) -> int:
    """Operations of a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())
