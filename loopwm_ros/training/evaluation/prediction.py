"""The K-step table: open-loop errors of a group of runs on one part of the test data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loopwm_ros.training.evaluation.intervals import auc_interval, mean_interval
from loopwm_ros.training.evaluation.material import Material
from loopwm_ros.training.evaluation.measures import SCORE, Values, measure, still
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe
from loopwm_ros.training.evaluation.results import Curve, Errors
from loopwm_ros.training.evaluation.rollouts import Rule, roll
from loopwm_ros.training.evaluation.subjects import Subject

HORIZONS = (1, 5, 10, 25, 50, 100)  # [base steps]
AUC = "continuation_auc"


def prediction_values(
    subject: Subject, material: Material, root: Path, probe: Probe, rule: Rule
) -> dict[int, Values]:
    """All errors of one run, by horizon that a window reaches."""
    horizons = tuple(k for k in HORIZONS if probe.reaching(k))
    ends = [CONTEXT + horizon - 1 for horizon in horizons]
    frames = probe.frames[:, [*range(CONTEXT), *ends]]
    seen, joints = material.tokens(root, subject, frames), material.joints(subject)
    rollout = roll(subject.model, subject.spec, probe, seen[:, :CONTEXT], rule, horizons)
    return {
        k: measure(subject.model, probe, subject.points, k, rollout.states[k], seen[:, CONTEXT + i], joints)
        for i, k in enumerate(horizons)
    }


def still_values(subject: Subject, probe: Probe) -> dict[int, Values]:
    """The same of predicting that nothing moves."""
    return {k: still(probe, subject.points, k) for k in HORIZONS if probe.reaching(k)}


def summarise(probe: Probe, seeds: Sequence[dict[int, Values]]) -> Errors:
    """Means with intervals, over the windows and seeds of a group; measures without a value are left out."""
    errors: dict[str, Curve] = {}
    for horizon, first in seeds[0].items():
        for name in first:
            values = np.stack([one[horizon][name] for one in seeds])
            if name == SCORE:
                positive = probe.continuation[:, CONTEXT + horizon - 1] > 0.5
                found, name = auc_interval(values, positive, probe.episode), AUC  # noqa: PLW2901
            else:
                found = mean_interval(values, probe.episode)
            if found is not None:
                errors.setdefault(name, {})[horizon] = found
    return errors
