"""Errors of imagined states against what the recording says, one value a window."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loopwm_ros.training.evaluation.joints import JointReadout
from loopwm_ros.training.evaluation.points import Points
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe
from loopwm_ros.training.model import LoopWM
from loopwm_ros.types import F32, F64

MOVED = 0.005  # an object that has gone this far since the last observation has moved [m]
GONE = 1.5  # from the base [m]: what has fallen off the table is not there any more
SCORE = "continuation_score"  # no error: what the continuation head says, for the area under the curve
Values = dict[str, F64]  # by measure, (windows,); NaN where there is none


@torch.no_grad()
def measure(
    model: LoopWM,
    probe: Probe,
    points: Points,
    horizon: int,
    state: Tensor,
    tokens: Tensor,
    joints: JointReadout | None,
) -> Values:
    """Errors `horizon` steps after the observed ones.

    `state`: of the first windows (rows, tokens, width); `tokens`: what the encoder says of all windows there.
    """
    rows, at = len(state), CONTEXT + horizon - 1
    said = model.heads.predict(state)
    values = place_errors(probe, points, at, said.quantities.cpu().numpy())
    target = tokens[:rows].to(state.device)
    values["consistency"] = _squared(model.monitor(state), target)
    values["embedding"] = _squared(said.latent.reshape(target.shape), target)
    score = np.where(probe.continuation_known[:rows, at], said.continuation.cpu().numpy(), np.nan)
    values[SCORE] = np.asarray(score, dtype=np.float64)
    if joints is not None:
        off = joints(said.latent.cpu().numpy()) - probe.joints[:rows, at]
        values["joints"] = np.sqrt(np.square(off).mean(1))
    return {name: padded(column, len(probe)) for name, column in values.items()}


def still(probe: Probe, points: Points, horizon: int) -> Values:
    """Errors of predicting that nothing moves after the last observation."""
    rows, at = probe.reaching(horizon), CONTEXT + horizon - 1
    values = place_errors(probe, points, at, probe.quantities[:rows, CONTEXT - 1])
    return {name: padded(column, len(probe)) for name, column in values.items()}


def place_errors(probe: Probe, points: Points, at: int, located: F32) -> Values:
    """Distances [m] and angles [rad] of quantities (rows, quantities) from the truth at step `at`.

    `object` and `yaw` are means over the objects that are there, fallen ones left out; `_moved` and `_static`
    over those that have moved since the last observation, and those that have not.
    """
    rows = len(located)
    truth, known = probe.quantities[:rows, at], probe.known[:rows, at]
    values: Values = {"tool": _distance(located, truth, known, points.tool)} if points.tool else {}
    moved = {name: way(probe, columns, at)[:rows] > MOVED for name, columns in points.objects.items()}
    places = {name: _distance(located, truth, known, columns) for name, columns in points.objects.items()}
    turns = {name: _angle(located, truth, known, columns) for name, columns in points.turns.items()}
    for name, errors in (("object", places), ("yaw", turns)):
        if errors:
            values[name] = _mean(list(errors.values()))
            values[f"{name}_moved"] = _mean([np.where(moved[o], e, np.nan) for o, e in errors.items()])
            values[f"{name}_static"] = _mean([np.where(moved[o], np.nan, e) for o, e in errors.items()])
    values |= places
    return values | {f"{name}_yaw": error for name, error in turns.items()}


def way(probe: Probe, columns: list[int], at: int) -> F64:
    """How far a point is from where it was last observed, at step `at` [m], (windows,)."""
    gone = probe.quantities[:, at][:, columns] - probe.quantities[:, CONTEXT - 1][:, columns]
    return np.asarray(np.linalg.norm(gone, axis=1), dtype=np.float64)


def padded(column: F64, count: int) -> F64:
    """Of all windows: NaN for those that are too short."""
    return np.concatenate([column, np.full(count - len(column), np.nan)])


def _distance(located: F32, truth: F32, known: NDArray[np.bool_], columns: list[int]) -> F64:
    off = np.linalg.norm((located - truth)[:, columns].astype(np.float64), axis=1)
    near = np.linalg.norm(truth[:, columns].astype(np.float64), axis=1) < GONE
    return np.where(known[:, columns].all(1) & near, off, np.nan)


def _angle(located: F32, truth: F32, known: NDArray[np.bool_], columns: list[int]) -> F64:
    """Between two turns of something with four equal sides, at most pi / 4 (`data.recorder.turn_label`)."""
    x, y = columns[:2]
    off = np.arctan2(located[:, y], located[:, x]) - np.arctan2(truth[:, y], truth[:, x])
    wrapped = np.abs(np.angle(np.exp(1j * off.astype(np.float64)))) / 4
    return np.where(known[:, columns].all(1), wrapped, np.nan)


def _squared(said: Tensor, target: Tensor) -> F64:
    """Mean squared difference of each window."""
    return np.asarray((said - target).square().flatten(1).mean(1).cpu().numpy(), dtype=np.float64)


def _mean(columns: list[F64]) -> F64:
    """Over those that are there; NaN where none is."""
    stacked = np.stack(columns)
    known = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(known, stacked, 0.0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)
