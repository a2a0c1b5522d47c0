"""The part of docs/results.md on what the safety filter costs, from a committed measurement."""

from __future__ import annotations

import json
from pathlib import Path

from markdown_table import table

FILE = "docs/results/benchmarks/safety_filter.json"


def safety_filter(root: Path) -> list[str]:
    """The section; empty where nothing was measured."""
    path = root / FILE
    if not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        (
            row["arm"],
            str(row["joints"]),
            row["references"],
            f"{row['median_ms']:.2f}",
            f"{row['p99_ms']:.2f}",
            f"{row['altered_share']:.0%}",
        )
        for row in found["rows"]
    ]
    return [
        "",
        "## Safety filter",
        "",
        f"One servo period, {found['periods']} of each kind, all eight filters in turns so that none has the",
        "caches for itself. *Plans* are what a planner sends, *wild* references no planner would send.",
        "",
        "```sh",
        f"python benchmarks/safety_filter.py --json {FILE}",
        "```",
        "",
        *table(("arm", "joints", "references", "median [ms]", "p99 [ms]", "altered"), rows),
    ]
