"""Iterations: how many a transition gets by each exit test, how many it needs, and what more of them do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loopwm_ros.training import losses
from loopwm_ros.training.evaluate import device_of
from loopwm_ros.training.evaluation.intervals import mean_interval, ratio_interval
from loopwm_ros.training.evaluation.measures import Values, padded, place_errors
from loopwm_ros.training.evaluation.phases import FREE, ONSET, PHASES, phases
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe
from loopwm_ros.training.evaluation.results import Depth, Errors, Exit, Looping, LoopsByPhase
from loopwm_ros.training.evaluation.rollouts import Rule, Test, observe, roll, told_of
from loopwm_ros.training.evaluation.subjects import Subject
from loopwm_ros.training.exits import exits_of
from loopwm_ros.types import F64

HORIZONS = (1, 10, 25)  # [base steps]
MEASURES = ("tool", "object", "object_moved", "object_static")
GATES = (0.05, 0.1, 0.2, 0.5, 0.8, 0.85, 0.9, 0.95)
CHANGES = (0.005, 0.01, 0.02, 0.05, 0.1)  # RMS over a state's values
READOUTS = (0.0005, 0.001, 0.002, 0.005)  # [m]


@dataclass(frozen=True)
class Tried:
    """One rule on one run."""

    errors: dict[int, Values]  # by horizon
    used: list[Tensor]  # of each whole transition


def looping(members: Sequence[Subject], probe: Probe, seen: Sequence[Tensor]) -> Looping:
    """Everything about the iterations of a group; `seen`: tokens of the observed steps, for each run."""
    first = members[0]
    horizons = tuple(k for k in HORIZONS if probe.reaching(k))
    most = first.spec.max_loops

    def tried(rule: Rule) -> list[Tried]:
        pairs = zip(members, seen, strict=True)
        return [try_rule(subject, tokens, probe, rule, horizons) for subject, tokens in pairs]

    full = tried(Rule(most))
    depths = {1, 2, first.spec.mean_loops, most, 2 * most, 3 * most, 4 * most}
    if first.spec.iterate == "parts":  # there are no more of them than actions
        depths = {min(loops, first.spec.chunk) for loops in depths}
    phase = phases(probe, first.points, first.spec.chunk)
    return Looping(
        depths=tuple(
            Depth(loops=loops, **_against(probe, full if loops == most else tried(Rule(loops)), full))
            for loops in sorted(depths)
        ),
        exits=tuple(_exit(probe, phase, rule, tried(rule), full) for rule in exit_rules(first)),
        needed=by_phase(
            probe, phase, [needed(*pair, probe, max(horizons)) for pair in zip(members, seen, strict=True)]
        ),
    )


def exit_rules(subject: Subject) -> list[Rule]:
    """All tests, each with several thresholds, the model's own among them."""
    spec, size = subject.spec, math.sqrt(subject.spec.tokens * subject.spec.width)
    changes = {size * change for change in CHANGES}
    second = changes | ({spec.second_difference_threshold} - {0.0})
    thresholds: dict[Test, set[float]] = {
        "gate": {*GATES, spec.gate_threshold},
        "second_difference": second,
        "change": changes,
        "readout": set(READOUTS),
    }
    return [
        Rule(spec.max_loops, test, threshold, subject.points.predicted)
        for test, values in thresholds.items()
        if spec.iterate == "block" or test in ("gate", "change")
        for threshold in sorted(values)
    ]


def by_phase(probe: Probe, phase: NDArray[np.int64], used: Sequence[list[Tensor]]) -> LoopsByPhase:
    """Iterations of imagined transitions, split by phase, over all runs of a group."""
    rows = [len(step) for step in used[0]]
    values = np.stack([torch.cat(one).numpy().astype(np.float64) for one in used])
    episode = np.concatenate([probe.episode[:count] for count in rows])
    kind = np.concatenate([phase[:count, step] for step, count in enumerate(rows)])
    split = {name: np.where(kind == at, values, np.nan) for at, name in enumerate(PHASES)}
    return LoopsByPhase(
        all=mean_interval(values, episode),
        **{name: mean_interval(column, episode) for name, column in split.items()},
        onset_to_free=ratio_interval(split[PHASES[ONSET]], split[PHASES[FREE]], episode),
        histogram={
            name: np.bincount(column[np.isfinite(column)].astype(np.int64)).tolist()
            for name, column in split.items()
        },
    )


@torch.no_grad()
def needed(subject: Subject, seen: Tensor, probe: Probe, horizon: int) -> list[Tensor]:
    """Iterations after which the read-out has settled near where `max_loops` bring it (`losses.settled`).

    Along rollouts of `max_loops` iterations; of each whole transition, as in `Rollout.used`. Objects that are
    not there do not count.
    """
    columns = list(subject.points.predicted)
    there = torch.from_numpy(probe.known[:, CONTEXT - 1, columns]).to(device_of(subject.model))
    model, spec, rule = subject.model, subject.spec, Rule(subject.spec.max_loops)
    state, used = observe(model, spec, probe, seen, rule), []
    for base in range(0, horizon - spec.chunk + 1, spec.chunk):
        rows = probe.reaching(base + spec.chunk)
        if not rows:
            break
        told = told_of(model, spec, probe, rows, (CONTEXT + base, CONTEXT + base + spec.chunk))
        blind = torch.zeros_like(state[:rows])
        exits = exits_of(model, state[:rows], blind, told, spec.max_loops)
        after = model.core.coda(exits.states.flatten(0, 1))
        readouts = model.heads.locate(after)[:, columns].unflatten(0, exits.states.shape[:2]) * there[:rows]
        settled = losses.settled(readouts, subject.settings.rollout.settle_tolerance)
        used.append(exits.loops.gather(0, settled.int().argmax(0)[None])[0].cpu())
        state = after.unflatten(0, exits.states.shape[:2])[-1]
    return used


def try_rule(subject: Subject, seen: Tensor, probe: Probe, rule: Rule, horizons: tuple[int, ...]) -> Tried:
    """Roll out a run's windows; `seen`: tokens of the observed steps."""
    rollout = roll(subject.model, subject.spec, probe, seen, rule, horizons)
    errors = {}
    for k, state in rollout.states.items():
        with torch.no_grad():
            located = subject.model.heads.locate(state).cpu().numpy()
        values = place_errors(probe, subject.points, CONTEXT + k - 1, located)
        errors[k] = {name: padded(values[name], len(probe)) for name in MEASURES if name in values}
    return Tried(errors, rollout.used)


def _exit(probe: Probe, phase: NDArray[np.int64], rule: Rule, tried: list[Tried], full: list[Tried]) -> Exit:
    assert rule.test is not None
    return Exit(
        test=rule.test,
        threshold=rule.threshold,
        loops=by_phase(probe, phase, [one.used for one in tried]),
        **_against(probe, tried, full),
    )


def _against(probe: Probe, tried: list[Tried], full: list[Tried]) -> dict[str, Errors]:
    """Errors, and their ratio to those of `max_loops` iterations."""
    errors: Errors = {}
    ratios: Errors = {}
    for horizon, values in tried[0].errors.items():
        for name in values:
            here, there = (_stacked(runs, horizon, name) for runs in (tried, full))
            if (mean := mean_interval(here, probe.episode)) is not None:
                errors.setdefault(name, {})[horizon] = mean
            if (ratio := ratio_interval(here, there, probe.episode)) is not None:
                ratios.setdefault(name, {})[horizon] = ratio
    return {"errors": errors, "against_full": ratios}


def _stacked(runs: list[Tried], horizon: int, name: str) -> F64:
    return np.stack([run.errors[horizon][name] for run in runs])
