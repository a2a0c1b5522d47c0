"""The part of docs/results.md on models in closed loop at equal planning time, from a committed summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markdown_table import table

FOLDER = "docs/results/benchmarks/closed_loop"
TITLES = {  # of comparisons by folder; of others the models' names
    "closed_loop": "Cores after 3,000 steps of training",
    "closed_loop_long": "Cores after longer training, equal in time",
    "closed_loop_25_ms": "Cores after longer training, with more time for a plan",
    "closed_loop_25_ms_first": "The same, a first round on other seeds",
    "closed_loop_budget": "Less and less time, in float32 and in 8 bits",
    "closed_loop_exits": "Early exit and fixed numbers of iterations",
}
CHANCE = 0.05  # p above which a pair is not told of


def closed_loop(root: Path) -> list[str]:
    """The section, with every comparison that was made; empty where there was none."""
    folders = sorted(path.parent for path in root.glob(f"{FOLDER}*/summary.json"))
    if not folders:
        return []
    return [
        "",
        "## Models in closed loop at equal planning time",
        "",
        "`python -m benchmarks.closed_loop`, on one core. A plan's time runs from the encoding of an image.",
        "Brackets: 95 % Wilson intervals; *candidates* and *loops* are what the planner had time for,",
        "*unsearched* are plans without search.",
        *(line for folder in folders for line in _comparison(folder, root)),
    ]


def _comparison(folder: Path, root: Path) -> list[str]:
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    compared = found["comparison"]
    lines = [
        "",
        f"### {TITLES.get(folder.name, ', '.join(compared['models']))}",
        "",
        f"{compared['episodes']} episodes each, seeds from {compared['seed']}, the same for all.",
    ]
    if (folder / "success.svg").exists():
        plot = (folder / "success.svg").relative_to(root / "docs").as_posix()
        lines += ["", f"![success against planning time]({plot})"]
    for setting in dict.fromkeys(_setting(each["regime"]) for each in found["outcomes"]):
        rows = [_row(each) for each in found["outcomes"] if _setting(each["regime"]) == setting]
        task = next(
            each["regime"]["task"] for each in found["outcomes"] if _setting(each["regime"]) == setting
        )
        within = [f"within {100 * d:g} cm" for d in _distances(found, task)]
        head = ("time [ms]", "model", *within, "median [ms]", "p99 [ms]", "candidates", "loops", "unsearched")
        lines += ["", f"{setting[0].upper()}{setting[1:]}:", "", *table(head, rows)]
    return lines + _pairs(found, compared["reference"] or next(iter(compared["models"])))


def _distances(found: dict[str, Any], task: str) -> list[float]:
    both = (found["success_distance_m"][task], found["precise_distance_m"][task])
    return [distance for distance in both if distance is not None]


def _setting(regime: dict[str, Any]) -> str:
    speed = "" if regime["tool_speed"] is None else f", up to {regime['tool_speed']:g} m/s"
    return f"{Path(regime['task']).stem}, {regime['horizon_s']:g} s ahead{speed}"


def _row(outcome: dict[str, Any]) -> tuple[str, ...]:
    time = outcome["planning_ms"]
    shares = [outcome["success"]] + [outcome["precise"]] * (outcome["precise"] is not None)
    return (
        f"{outcome['regime']['budget_ms']:g}",
        outcome["model"],
        *map(_share, shares),
        _number(time["p50"], ".1f"),
        _number(time["p99"], ".1f"),
        _number(outcome["candidates"]["mean"], ".0f"),
        _number(outcome["loops"]["mean"], ".2f"),
        _number(outcome["unsearched"], ".1%"),
    )


def _share(share: dict[str, Any]) -> str:
    if share["wilson95"] is None:
        return "-"
    low, high = share["wilson95"]
    return f"{share['rate']:.0%} ({100 * low:.0f} to {100 * high:.0f})"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _pairs(found: dict[str, Any], reference: str) -> list[str]:
    """The differences from the reference that are hardly chance."""
    apart = [pair for pair in found["pairs"] if pair["p"] < CHANCE]
    count = len(found["pairs"])
    lines = [
        "",
        f"Of {count} comparisons with *{reference}* on the same episodes, {len(apart)} have p < {CHANCE}",
        f"(exact McNemar test; by chance alone at most about {CHANCE * count:.0f} would).",
    ]
    rows = [
        (
            f"{_setting(pair['regime'])}, {pair['regime']['budget_ms']:g} ms",
            pair["model"],
            pair["measure"],
            f"{pair['only_model']} : {pair['only_reference']}",
            f"{pair['p']:.2g}",
            "no" if pair["disjoint"] else "yes",
        )
        for pair in apart
    ]
    head = ("regime", "model", "measure", f"only it : only {reference}", "p", "intervals overlap")
    return lines + (["", *table(head, rows)] if rows else [])
