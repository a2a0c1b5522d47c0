"""Rollouts of a thousand steps: does the state stay bounded, and how does the error grow?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from loopwm_ros.training.evaluation.intervals import Interval, growth_interval
from loopwm_ros.training.evaluation.measures import Values, padded, place_errors
from loopwm_ros.training.evaluation.prediction import summarise
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe
from loopwm_ros.training.evaluation.results import SeedStability, Stability
from loopwm_ros.training.evaluation.rollouts import Rule, roll
from loopwm_ros.training.evaluation.subjects import Subject

HORIZON = 1000  # [base steps]
HORIZONS = (1, 2, 5, 10, 20, 50, *range(100, HORIZON + 1, 100))
LATE = 10  # the growth of errors is measured from here on [base steps]
RMS = "state_rms"


def stability(members: Sequence[Subject], probe: Probe, seen: Sequence[Tensor]) -> Stability:
    """Of a group, on windows that are `HORIZON` long; `seen`: tokens of the observed steps, for each run."""
    values = [_values(*pair, probe) for pair in zip(members, seen, strict=True)]
    return Stability(
        curves=summarise(probe, values),
        seeds=tuple(
            SeedStability(
                seed=subject.settings.seed,
                largest_rms=float(max(one[k][RMS].max() for k in HORIZONS)),
                growth={name: _growth(probe, one, name) for name in ("tool", "object") if name in one[1]},
            )
            for subject, one in zip(members, values, strict=True)
        ),
    )


def _values(subject: Subject, seen: Tensor, probe: Probe) -> dict[int, Values]:
    rule = Rule(subject.spec.mean_loops)
    rollout = roll(subject.model, subject.spec, probe, seen, rule, HORIZONS)
    values = {}
    for k, state in rollout.states.items():
        located = subject.model.heads.locate(state).detach().cpu().numpy()
        errors = place_errors(probe, subject.points, CONTEXT + k - 1, located)
        rms = state.square().flatten(1).mean(1).sqrt().cpu().numpy().astype(np.float64)
        chosen = {name: errors[name] for name in ("tool", "object") if name in errors} | {RMS: rms}
        values[k] = {name: padded(column, len(probe)) for name, column in chosen.items()}
    return values


def _growth(probe: Probe, values: dict[int, Values], name: str) -> Interval | None:
    late = [k for k in HORIZONS if k >= LATE]
    return growth_interval(np.array(late), np.stack([values[k][name] for k in late]), probe.episode)
