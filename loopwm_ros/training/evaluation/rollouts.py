"""Imagining a probe's windows: transitions of a chunk of actions, and a shorter one for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.states import chunked
from loopwm_ros.training.evaluate import device_of
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe
from loopwm_ros.training.model import LoopWM, noise_state
from loopwm_ros.training.parts import PartsCore, told_actions
from loopwm_ros.world_model.parts import LEAST_PARTS

Test = Literal["gate", "second_difference", "change", "readout"]


@dataclass(frozen=True)
class Rule:
    """When the loop of a transition ends: after `loops` iterations, or before, once `test` says so.

    Tests at iteration t: `gate`: g^(t) exceeds the threshold; `second_difference`: the norm of
    h^(t) - 2 h^(t-1) + h^(t-2) is below it; `change`: that of h^(t) - h^(t-1); `readout`: no predicted
    quantity [m] of coda(h^(t)) differs by as much from the iteration before. A core that iterates over parts
    knows the gate and the change alone.
    """

    loops: int
    test: Test | None = None
    threshold: float = 0.0
    columns: tuple[int, ...] = ()  # the predicted quantities, for `readout`


@dataclass(frozen=True)
class Rollout:
    """What was imagined, of a probe's first windows: those that are long enough."""

    states: dict[int, Tensor]  # after K imagined base steps, (windows of that length, tokens, width)
    used: list[Tensor]  # iterations of each whole transition, (windows of that length,), on the CPU


@torch.no_grad()
def roll(
    model: LoopWM, spec: ModelSpec, probe: Probe, seen: Tensor, rule: Rule, horizons: tuple[int, ...]
) -> Rollout:
    """Observe `seen` (windows, CONTEXT, tokens, width), then imagine; states at the horizons [base steps].

    Each horizon is floor(K / chunk) whole transitions, and one shorter transition for the rest. At least one
    window has to reach it.
    """
    state = observe(model, spec, probe, seen, rule)
    states: dict[int, Tensor] = {}
    used: list[Tensor] = []
    for base in range(0, max(horizons) + 1, spec.chunk):
        for horizon in (k for k in horizons if base <= k < base + spec.chunk):
            rows = probe.reaching(horizon)
            states[horizon] = state[:rows]
            if horizon > base:
                states[horizon], _ = imagine(model, spec, probe, state[:rows], (base, horizon), rule)
        rows = probe.reaching(base + spec.chunk)
        if not rows or base + spec.chunk > max(horizons):
            break
        state, iterations = imagine(model, spec, probe, state[:rows], (base, base + spec.chunk), rule)
        used.append(iterations)
    return Rollout(states, used)


@torch.no_grad()
def observe(model: LoopWM, spec: ModelSpec, probe: Probe, seen: Tensor, rule: Rule) -> Tensor:
    """States after the observed steps, (windows, tokens, width)."""
    state = noise_state(spec, len(probe), torch.Generator().manual_seed(0)).to(device_of(model))
    for step in range(CONTEXT):
        told = told_of(model, spec, probe, len(state), (step, step + 1))
        state, _ = transition(model, state, seen[:, step].to(state.device), told, rule)
    return state


def imagine(
    model: LoopWM, spec: ModelSpec, probe: Probe, state: Tensor, span: tuple[int, int], rule: Rule
) -> tuple[Tensor, Tensor]:
    """One transition without an observation over base steps `span` after the observed ones."""
    first, last = (CONTEXT + step for step in span)
    told = told_of(model, spec, probe, len(state), (first, last))
    return transition(model, state, torch.zeros_like(state), told, rule)


def told_of(model: LoopWM, spec: ModelSpec, probe: Probe, rows: int, span: tuple[int, int]) -> Tensor:
    """What the prelude is told of the actions of steps `span`, (rows, action_input)."""
    return torch.from_numpy(chunked(spec, probe.actions[:rows, slice(*span)])).to(device_of(model))


def transition(
    model: LoopWM, state: Tensor, tokens: Tensor, told: Tensor, rule: Rule
) -> tuple[Tensor, Tensor]:
    """Next states, and the iterations that each used (batch,), on the CPU."""
    core = model.core
    if isinstance(core, PartsCore):
        return _in_parts(core, state, tokens, told, rule)
    injected = core.prelude(state, tokens, told)
    if rule.test is None:
        for _ in range(rule.loops):
            state, _ = core.block(state, injected)
        return core.coda(state), torch.full((len(state),), rule.loops)
    looped, used = _iterate(model, state, injected, rule)
    return core.coda(looped), used.cpu()


def _in_parts(
    core: PartsCore, state: Tensor, tokens: Tensor, told: Tensor, rule: Rule
) -> tuple[Tensor, Tensor]:
    """The same for a core that iterates over parts: a leap, and the parts where the test does not take it."""
    count = told_actions(told, core.chunk)

    def in_parts(rows: Tensor, most: int) -> tuple[Tensor, Tensor]:
        parts = count[rows].clamp(max=most)
        return core.in_steps(state[rows], tokens[rows], told[rows], parts, int(parts.max())), parts.cpu()

    if rule.test is None or rule.loops <= LEAST_PARTS:
        return in_parts(torch.arange(len(state), device=state.device), rule.loops)
    leap, gate = core.block(state, core.prelude(state, tokens, told))
    if rule.test == "gate":
        refused = gate <= rule.threshold
    else:
        refused = (leap - state).flatten(1).norm(dim=1) >= rule.threshold
    used = torch.ones(len(state), dtype=torch.long)
    rows = torch.nonzero(refused & (count > 1))[:, 0]
    if len(rows):
        leap[rows], steps = in_parts(rows, rule.loops - 1)
        used[rows.cpu()] += steps
    return leap, used


def _iterate(model: LoopWM, state: Tensor, injected: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """Iterate until the test ends each row; rows that are done leave the batch."""
    final, used = torch.empty_like(state), torch.full((len(state),), rule.loops, device=state.device)
    rows = torch.arange(len(state), device=state.device)
    before: Tensor | None = None
    for iteration in range(1, rule.loops + 1):
        following, gate = model.core.block(state, injected)
        done = _done(model, rule, following, gate, state, before)
        if iteration == rule.loops:
            done = torch.ones_like(done)
        final[rows[done]], used[rows[done]] = following[done], iteration
        going = ~done
        if not going.any():
            break
        rows, injected, before, state = rows[going], injected[going], state[going], following[going]
    return final, used


def _done(
    model: LoopWM, rule: Rule, following: Tensor, gate: Tensor, state: Tensor, before: Tensor | None
) -> Tensor:
    """Which rows the test ends, bool (batch,); `before` is None at the first iteration."""
    if rule.test == "gate":
        return gate > rule.threshold
    if rule.test == "change":
        return (following - state).flatten(1).norm(dim=1) < rule.threshold
    if before is None:
        return torch.zeros(len(following), dtype=torch.bool, device=following.device)
    if rule.test == "second_difference":
        return (following - 2 * state + before).flatten(1).norm(dim=1) < rule.threshold
    moved = model.heads.locate(model.core.coda(following)) - model.heads.locate(model.core.coda(state))
    return moved[:, list(rule.columns)].abs().amax(1) < rule.threshold
