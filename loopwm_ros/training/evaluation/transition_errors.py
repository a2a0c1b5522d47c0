"""Errors of a single transition, by what happens in it: where do iterations, or depth, pay?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from loopwm_ros.training.evaluation.intervals import Interval, mean_interval
from loopwm_ros.training.evaluation.loops import try_rule
from loopwm_ros.training.evaluation.phases import PHASES, phases
from loopwm_ros.training.evaluation.probe import Probe
from loopwm_ros.training.evaluation.results import TransitionErrors
from loopwm_ros.training.evaluation.rollouts import Rule
from loopwm_ros.training.evaluation.subjects import Subject

MEASURES = ("tool", "object", "object_moved")


def transition_errors(
    members: Sequence[Subject], probe: Probe, seen: Sequence[Tensor]
) -> tuple[TransitionErrors, ...]:
    """Of the first whole transition after the observed steps, with several rules for its iterations.

    `seen`: tokens of the observed steps, for each run.
    """
    chunk = members[0].spec.chunk
    phase = phases(probe, members[0].points, chunk)[:, 0]
    found = []
    for name, rule in rules(members[0]).items():
        runs = [try_rule(*pair, probe, rule, (chunk,)) for pair in zip(members, seen, strict=True)]
        errors: dict[str, dict[str, Interval]] = {kind: {} for kind in PHASES}
        for measure in (one for one in MEASURES if one in runs[0].errors[chunk]):
            values = np.stack([run.errors[chunk][measure] for run in runs])
            for at, kind in enumerate(PHASES):
                mean = mean_interval(np.where(phase == at, values, np.nan), probe.episode)
                if mean is not None:
                    errors[kind][measure] = mean
        found.append(TransitionErrors(loops=name, errors=errors))
    return tuple(found)


def rules(subject: Subject) -> dict[str, Rule]:
    """By name: numbers of iterations and, where there is a loop, its gate."""
    spec = subject.spec
    depths = sorted({1, min(2, spec.max_loops), spec.mean_loops, spec.max_loops})
    fixed = {str(loops): Rule(loops) for loops in depths}
    return fixed | ({"gate": Rule(spec.max_loops, "gate", spec.gate_threshold)} if subject.looped else {})
