"""The part of docs/results.md on the study of the world model's cores, from a committed evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markdown_table import table

FOLDER = "docs/results/study"
AHEAD = "25"  # base steps: 2.5 s
PARTS = {"test-one": "one cube", "test-chain": "three blocks", "shifted-heavy": "heavier and rougher"}
Found = dict[str, Any]


def study(root: Path) -> list[str]:
    """The section; empty where nothing was measured."""
    path = root / FOLDER / "evaluation.json"
    if not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    return [
        "",
        "## Cores of the world model compared",
        "",
        *(root / FOLDER / "words.md").read_text(encoding="utf-8").splitlines(),
        "",
        f"### Prediction {int(AHEAD) * found['period_s']:g} s ahead",
        "",
        "Mean errors [cm] on episodes that no core has seen; brackets: 95 % intervals, bootstrap over",
        "episodes, and over seeds where there are several. *Actions*: how many one transition spans.",
        "",
        *_predictions(found),
        *_costs(found),
        *_loops(found),
        *_stability(found),
        "",
        "Again (the recipe's data, then the arms on a GPU, then what they predict):",
        "",
        "```sh",
        *(root / FOLDER / "commands.sh").read_text(encoding="utf-8").splitlines(),
        "```",
    ]


def _predictions(found: Found) -> list[str]:
    measures = {
        "tool": ("tool", ["test-one"]),
        "moved": ("object_moved", list(PARTS)),
        "still": ("object_static", ["test-one"]),
    }
    head = ["core", "actions", "seeds"]
    head += [f"{name}, {PARTS[part]}" for name, (_, parts) in measures.items() for part in parts]
    rows = [_still_row(found, measures)]
    for group in found["groups"]:
        cells = [group["label"], str(group["chunk"]), str(len(group["runs"]))]
        for measure, parts in measures.values():
            cells += [_cm(group["prediction"][part][measure].get(AHEAD)) for part in parts]
        rows.append(tuple(cells))
    return table(tuple(head), rows)


def _still_row(found: Found, measures: dict[str, tuple[str, list[str]]]) -> tuple[str, ...]:
    parts = {part["name"]: part["still"] for part in found["parts"]}
    cells = [_cm(parts[part][measure].get(AHEAD)) for measure, those in measures.values() for part in those]
    return ("nothing moves", "–", "–", *cells)


def _costs(found: Found) -> list[str]:
    rows = []
    for group in (each for each in found["groups"] if each["costs"]):
        costs = group["costs"]
        cells = [group["label"], f"{costs['parameters']['core'] / 1e3:.0f}"]
        cells += [f"{costs['flops'][kind]['1'] / 1e6:.2f}" for kind in ("transition", "rollout")]
        for loops, steps in (("mean", group["chunk"]), ("mean", 64), ("gate", 64)):
            cells.append(_timing(costs, loops, steps))
        rows.append(tuple(cells))
    if not rows:
        return []
    head = (
        "core", "parameters of the core [k]", "FLOPs, a transition [M]", "FLOPs, 64 actions [M]",
        "a transition [ms]", "64 actions [ms]", "64 actions, gate [ms]",
    )  # fmt: skip
    return [
        "",
        "### What they cost",
        "",
        "One candidate, *mean* loops; FLOPs as torch counts them, heads once at the end. Times: ONNX Runtime",
        "on one core, 64 candidates, median / p99.",
        "",
        *table(head, rows),
    ]


def _timing(costs: Found, loops: str, steps: int) -> str:
    for timing in costs["timings"]:
        if (timing["loops"], timing["candidates"], timing["base_steps"]) == (loops, 64, steps):
            return f"{timing['ms']['p50']:.2f} / {timing['ms']['p99']:.2f}"
    return "–"


def _loops(found: Found) -> list[str]:
    rows = []
    for group in found["groups"]:
        for part, looping in group["looping"].items():
            if part not in PARTS:
                continue
            for test in ("gate", "readout", "change", "second_difference"):
                rows += _exit_row(group["label"], part, looping, test)
    if not rows:
        return []
    head = (
        "core",
        "part",
        "exit",
        "threshold",
        "free motion",
        "onset",
        "sustained",
        "onset / free",
        "error / full",
    )
    return [
        "",
        "### Loops by what happens",
        "",
        "Mean iterations of an imagined transition. Of each test's thresholds the cheapest whose error on",
        f"objects that moved, {int(AHEAD) * found['period_s']:g} s ahead, is at most 2 % above that of all",
        "iterations; where none is, the dearest.",
        "",
        *table(head, rows),
    ]


def _exit_row(label: str, part: str, looping: Found, test: str) -> list[tuple[str, ...]]:
    exits = [each for each in looping["exits"] if each["test"] == test]
    if not exits:
        return []

    def ratio(each: Found) -> float:
        interval = each["against_full"].get("object_moved", {}).get(AHEAD)
        return float("inf") if interval is None else float(interval["mean"])

    def mean(each: Found, phase: str) -> float:
        return float(each["loops"][phase]["mean"]) if each["loops"][phase] else float("nan")

    good = [each for each in exits if ratio(each) <= 1.02]
    chosen = (
        min(good, key=lambda each: mean(each, "all"))
        if good
        else max(exits, key=lambda each: mean(each, "all"))
    )
    counts = [f"{mean(chosen, phase):.2f}" for phase in ("free", "onset", "sustained")]
    onset = chosen["loops"]["onset_to_free"]
    relation = "–" if onset is None else f"{onset['mean']:.2f} ({onset['low']:.2f} to {onset['high']:.2f})"
    return [
        (
            label,
            PARTS[part],
            test.replace("_", " "),
            f"{chosen['threshold']:g}",
            *counts,
            relation,
            f"{ratio(chosen):.3f}",
        )
    ]


def _stability(found: Found) -> list[str]:
    rows = []
    for group in found["groups"]:
        for part, stability in group["stability"].items():
            gains = group["gain"].get("test-chain", [])
            growth = [seed["growth"].get("object") for seed in stability["seeds"]]
            rows.append(
                (
                    group["label"],
                    part,
                    " ".join(f"{seed['largest_rms']:.2f}" for seed in stability["seeds"]),
                    " ".join("–" if each is None else f"{each['mean']:.2f}" for each in growth),
                    " ".join(f"{gain['transition']['p50']:.2f}" for gain in gains) or "–",
                    " ".join(f"{gain['iteration']['p50']:.2f}" for gain in gains if gain["iteration"]) or "–",
                    " ".join(f"{gain['retained']['max']:.2f}" for gain in gains if gain["retained"]) or "–",
                )
            )
    if not rows:
        return []
    head = (
        "core", "part", "largest state RMS", "growth, objects", "gain, transition", "gain, iteration",
        "largest Abar",
    )  # fmt: skip
    return [
        "",
        "### A thousand steps",
        "",
        "A figure for each seed. Growth: p of error ~ K^p after the first 10 steps, where 1 is linear. Gain:",
        "median over states of real rollouts of the Jacobian's largest singular value.",
        "",
        *table(head, rows),
    ]


def _cm(interval: Found | None) -> str:
    if interval is None:
        return "–"
    return f"{100 * interval['mean']:.2f} ({100 * interval['low']:.2f} to {100 * interval['high']:.2f})"
