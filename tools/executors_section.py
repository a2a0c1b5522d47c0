"""The part of docs/results.md on rclpy's executors, from what `benchmarks.executors` measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markdown_table import number, table

FILES = "docs/results/benchmarks/executors*.json"


def executors(root: Path) -> list[str]:
    """The section; empty where nothing was measured."""
    files = sorted(root.glob(FILES))
    benches = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    if not benches:
        return []
    columns = ("executor", "messages", "busy processes beside", "served", "off by p50 [ms]", "p99", "max")
    return [
        "",
        "### Executors",
        "",
        "A control timer of 50 Hz in a node that reads joint states and pictures, as each of rclpy's",
        f"executors serves it on {benches[0]['cpu']}; a thread beside it computes for a third of the time,",
        "as planning does. *Polled*: topics are read in a timer, as our nodes do; *called back*: for each",
        "message. *Off by*: how far the intervals between two calls are from the period.",
        "",
        *table((*columns, "of a core"), [_row(bench, row) for bench in benches for row in bench["rows"]]),
        "",
        "```sh",
        *(_command(bench, path.relative_to(root)) for path, bench in zip(files, benches, strict=True)),
        "```",
    ]


def _row(bench: dict[str, Any], row: dict[str, Any]) -> tuple[str, ...]:
    off = row["off_ms"]
    return (
        row["executor"],
        "polled" if row["polled"] else "called back",
        "one on every core" if bench["stress"] else "none",
        str(row["served"]),
        *(number(off[name], 2) for name in ("p50", "p99", "max")),
        f"{row['cores']:.0%}",
    )


def _command(bench: dict[str, Any], path: Path) -> str:
    stress = " --stress" if bench["stress"] else ""
    return f"python -m benchmarks.executors --seconds {bench['seconds']:g}{stress} --json {path}"
