"""How much the update stretches a small difference of states: measured, beside what `Abar` alone would say.

The largest singular value of the Jacobian of one iteration and of one imagined transition, at states along
real rollouts, by power iteration on J^T J with products of Jacobian and vector.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from loopwm_ros.training.core import LoopedCore
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe
from loopwm_ros.training.evaluation.results import Gain, Quantiles
from loopwm_ros.training.evaluation.rollouts import Rule, imagine, observe, told_of, transition
from loopwm_ros.training.evaluation.subjects import Subject
from loopwm_ros.training.layers import Retention
from loopwm_ros.types import F64

POWER_STEPS = 40
TRANSITIONS = 3  # of a rollout, at which the gain is measured
STATES = 48  # windows


def gain(subject: Subject, probe: Probe, seen: Tensor) -> Gain:
    """Over the first transitions of the first `STATES` windows; `seen`: tokens of the observed steps."""
    model, spec, rule = subject.model, subject.spec, Rule(subject.spec.mean_loops)
    core, iterations, transitions = model.core, [], []
    state = observe(model, spec, probe, seen, rule)
    for base in range(0, TRANSITIONS * spec.chunk, spec.chunk):
        rows = min(STATES, probe.reaching(base + spec.chunk))
        if not rows:
            break
        state = state[:rows]
        told = told_of(model, spec, probe, rows, (CONTEXT + base, CONTEXT + base + spec.chunk))
        blind = torch.zeros_like(state)

        def whole(before: Tensor, told: Tensor = told, blind: Tensor = blind) -> Tensor:
            return transition(model, before, blind, told, rule)[0]

        transitions.append(largest_singular_values(whole, state))
        if isinstance(core, LoopedCore):
            with torch.no_grad():
                injected, iterate = core.prelude(state, blind, told), state
            for _ in range(rule.loops):

                def once(before: Tensor, injected: Tensor = injected) -> Tensor:
                    return core.block(before, injected)[0]

                iterations.append(largest_singular_values(once, iterate))
                with torch.no_grad():
                    iterate = once(iterate)
        with torch.no_grad():
            state, _ = imagine(model, spec, probe, state, (base, base + spec.chunk), rule)
    retention = getattr(core.block, "retention", None)
    retained = retention.retained.detach().cpu().numpy() if isinstance(retention, Retention) else None
    return Gain(
        transition=quantiles(np.concatenate(transitions)),
        iteration=quantiles(np.concatenate(iterations)) if iterations else None,
        retained=None if retained is None else quantiles(retained),
    )


def largest_singular_values(function: Callable[[Tensor], Tensor], at: Tensor) -> F64:
    """Of the Jacobian for each row of a batch (batch, ...), which `function` treats by itself, (batch,).

    `J v` is the derivative of `J^T u` by u, which is linear in it: so one graph serves all power steps.
    """
    at = at.detach().requires_grad_()
    after = function(at)
    probing = torch.zeros_like(after, requires_grad=True)
    (transposed,) = torch.autograd.grad(after, at, probing, create_graph=True)
    vector = torch.randn(at.shape, generator=torch.Generator().manual_seed(0)).to(at.device)
    size = torch.zeros(len(at))
    for _ in range(POWER_STEPS):
        vector = vector / _norm(vector)
        (stretched,) = torch.autograd.grad(transposed, probing, vector, retain_graph=True)
        size = _norm(stretched).flatten()
        (vector,) = torch.autograd.grad(after, at, stretched, retain_graph=True)
    return np.asarray(size.detach().cpu().numpy(), dtype=np.float64)


def quantiles(values: F64) -> Quantiles:
    """Of some figures."""
    low, median, high = np.percentile(values, [5, 50, 95])
    return Quantiles(
        p5=float(low), p50=float(median), p95=float(high), max=float(values.max()), count=len(values)
    )


def _norm(rows: Tensor) -> Tensor:
    """Of each row, with the axes of the rest kept; never 0."""
    norm = rows.flatten(1).norm(dim=1).clamp(min=1e-30)
    return norm.reshape(-1, *[1] * (rows.ndim - 1))
