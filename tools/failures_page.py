"""The page that shows each failure of one task on one arm."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from markdown_table import table
from result_runs import STRIPS, Runs

from loopwm_ros.validation.failures import strip_path
from loopwm_ros.validation.summary import Summary


def failures(title: str, runs: Runs, root: Path) -> list[str]:
    """The page of the failures of one task on one arm.

    Raises:
        SystemExit: a film strip is missing.
    """
    lines = [
        f"# Failures: {title}",
        "",
        "Written by `make docs` from the files in `docs/results/`. Each strip is one failed episode. The",
        "tool's path is blue; what the model imagined is orange, of the object purple; the ring is where it",
        "takes the goal to be. The word on why comes from `loopwm_ros/validation/diagnosis.py`, which knows",
        "the truth.",
    ]
    for name, run in runs.items():
        failed = [e for e in run.per_episode if not e.success]
        lines += ["", f"## {name}", "", f"{len(failed)} of {run.episodes} failed."]
        for episode in failed:
            strip = strip_path(root / STRIPS, name, episode.seed)
            if not strip.exists():
                raise SystemExit(f'no {strip.name}; make results RESULTS="{name}"')
            happened = f", {episode.disturbance.replace('_', ' ')}" if episode.disturbance else ""
            place = strip.relative_to(root / "docs").as_posix()
            lines += [
                "",
                f"Seed {episode.seed}{happened}: {episode.why}.",
                "",
                f"![seed {episode.seed}]({place})",
            ]
        lines += _imprecise(run)
    return lines


def _imprecise(run: Summary) -> list[str]:
    """Why episodes that were solved missed the precise distance, counted."""
    missed = [e for e in run.per_episode if e.success and e.precise_time_s is None]
    if run.precise_distance_m is None or not missed:
        return []
    why = Counter(re.sub(r"\d+(\.\d+)?", "N", e.why or "of unknown cause") for e in missed)
    return [
        "",
        f"{len(missed)} more were solved, but not within {run.precise_distance_m * 100:g} cm:",
        "",
        *table(("why", "episodes"), ((words, str(count)) for words, count in why.most_common())),
    ]
