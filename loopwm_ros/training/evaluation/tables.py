"""What `loopwm evaluate` prints: the K-step errors of each part, groups side by side, without intervals."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loopwm_ros.training.evaluation.results import Errors, Evaluation, Part
from loopwm_ros.validation.page import NOTHING

SHOWN = {  # measure: title, factor, digits
    "tool": ("tool [cm]", 100, 2),
    "object": ("objects [cm]", 100, 2),
    "object_moved": ("objects that moved [cm]", 100, 2),
    "object_static": ("objects that did not [cm]", 100, 2),
    "yaw": ("yaw [rad]", 1, 3),
    "joints": ("joints [rad]", 1, 3),
    "consistency": ("latent consistency", 1, 3),
    "continuation_auc": ("continuation, AUC", 1, 3),
}
STILL = "nothing moves"


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """One table a part; none of an evaluation without predictions."""
    for part in evaluation.parts:
        if any(part.name in group.prediction for group in evaluation.groups):
            console.print(_table(evaluation, part))


def _table(evaluation: Evaluation, part: Part) -> Table:
    measured = [group for group in evaluation.groups if part.name in group.prediction]
    rows = {group.label: group.prediction[part.name] for group in measured} | {STILL: part.still}
    horizons = sorted({k for errors in rows.values() for curve in errors.values() for k in curve})
    title = f"{part.name}: {part.windows} windows of {part.episodes} episodes, error after K steps"
    table = Table("measure", "model", *(f"K {k}" for k in horizons), title=escape(title))
    for name, (what, factor, digits) in SHOWN.items():
        for label, errors in rows.items():
            if name in errors:
                cells = [_cell(errors, name, k, factor, digits) for k in horizons]
                table.add_row(escape(what), escape(label), *cells)
        table.add_section()
    return table


def _cell(errors: Errors, name: str, horizon: int, factor: float, digits: int) -> str:
    found = errors[name].get(horizon)
    if found is None:
        return NOTHING
    return f"{found.mean * factor:.{digits}f}"
