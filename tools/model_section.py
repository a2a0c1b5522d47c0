"""The part of docs/results.md on how a shipped model did on held-out episodes, from its manifest."""

from __future__ import annotations

import re
from typing import Any

from markdown_table import number, table

from loopwm_ros.training.continuing import BEFORE

HORIZON = re.compile(r"(open_loop|gated|still)_(\w+)_k(\d+)_cm")
WAYS = {"open_loop": "fixed loops", "gated": "gate", "still": "nothing moves"}


def unpredicted(config: dict[str, Any]) -> tuple[str, ...]:
    """Points on whose future a model was not trained, by its training settings."""
    return tuple(config.get("rollout", {}).get("unpredicted", ()))


def open_loop(metrics: dict[str, float], left_out: tuple[str, ...]) -> list[str]:
    """Open-loop errors: a row for each way to predict each point, a column for each horizon.

    Of points that are left out, which are named, an error would say nothing.
    """
    matches = {m.groups(): value for name, value in metrics.items() if (m := HORIZON.fullmatch(name))}
    found = {key: value for key, value in matches.items() if key[1] not in left_out}
    horizons = sorted({int(k) for _, _, k in found})
    rows = [
        (
            point,
            WAYS[way],
            *(number(found.get((way, point, str(k))), 2) for k in horizons),
        )
        for point, way in sorted({(point, way) for way, point, _ in found}, reverse=True)
    ]
    lines = table(("point", "prediction", *(f"K = {k} [cm]" for k in horizons)), rows)
    return (
        [*lines, "", f"Left out, for it was not trained to predict them: {', '.join(left_out)}."]
        if left_out
        else lines
    )


def other(metrics: dict[str, float]) -> list[str]:
    """All other metrics."""
    rest = {name: value for name, value in metrics.items() if not HORIZON.fullmatch(name)}
    own = sorted((name, value) for name, value in rest.items() if not name.startswith(BEFORE))
    return table(("metric", "value"), ((name, f"{value:.3g}") for name, value in own))


def end_to_end(metrics: dict[str, float], left_out: tuple[str, ...]) -> list[str]:
    """What the stage end to end changed: the longest horizon of each point, and the encoder's readings."""
    found = [m for name in metrics if (m := HORIZON.fullmatch(name)) and m[1] == "open_loop"]
    longest = max((int(m[3]) for m in found), default=0)
    names = [m[0] for m in found if int(m[3]) == longest and m[2] not in left_out]
    names += [name for name in metrics if name.startswith("reading_") and name.endswith("_median_cm")]
    rows = [
        (name, f"{metrics[BEFORE + name]:.3g}", f"{metrics[name]:.3g}")
        for name in sorted(names)
        if BEFORE + name in metrics
    ]
    if not rows:
        return []
    return [
        "",
        "Before and after all of it was trained together.",
        "",
        *table(("metric", "before", "after"), rows),
    ]
