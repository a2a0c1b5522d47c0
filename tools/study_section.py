"""The part of docs/results.md on the study of the world model's cores, from a committed evaluation."""

from __future__ import annotations

from pathlib import Path

from markdown_table import table
from study_claims import AHEAD, MOVED, PART, PARTS, Claim, against_best, cheapest_exit, claims, timed

from loopwm_ros.training.evaluation.intervals import Interval
from loopwm_ros.training.evaluation.results import Costs, Evaluation, Group

FOLDER = "docs/results/study"
MEASURES = {
    "tool": ("tool", ("test-one",)),
    "moved": ("object_moved", tuple(PARTS)),
    "still": ("object_static", ("test-one",)),
}
TESTS = ("gate", "readout", "change", "second_difference")


def study(root: Path) -> list[str]:
    """The section; empty where nothing was measured."""
    found = evaluation(root)
    if found is None:
        return []
    return [
        "",
        "## Cores of the world model compared",
        "",
        *(root / FOLDER / "words.md").read_text(encoding="utf-8").splitlines(),
        *_claims(claims(found)),
        "",
        f"### Prediction {AHEAD * found.period_s:g} s ahead",
        "",
        "Mean errors [cm] on episodes that no core has seen; brackets: 95 % intervals, bootstrap over",
        "episodes, and over seeds where there are several. *Actions*: how many one transition spans.",
        "",
        *_plots(root),
        *_predictions(found),
        *_costs(found),
        *_iterations(found),
        *_loops(found),
        *_stability(found),
        "",
        "Again:",
        "",
        "```sh",
        *(root / FOLDER / "commands.sh").read_text(encoding="utf-8").splitlines(),
        "```",
    ]


def evaluation(root: Path) -> Evaluation | None:
    """What was measured, with the costs that were measured by themselves; None where nothing was.

    Of ablations less was measured than of the main arms: no thousand steps, no gain.
    """
    found, ablations, costs = (_read(root, name) for name in ("evaluation", "ablations", "costs"))
    if found is None:
        return None
    groups = found.groups + (() if ablations is None else ablations.groups)
    of = {} if costs is None else {group.label: group.costs for group in costs.groups}
    with_costs = (group.model_copy(update={"costs": of.get(group.label, group.costs)}) for group in groups)
    return found.model_copy(update={"groups": tuple(with_costs)})


def _read(root: Path, name: str) -> Evaluation | None:
    path = root / FOLDER / f"{name}.json"
    return Evaluation.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None


def _claims(made: list[Claim]) -> list[str]:
    if not made:
        return []
    return ["", *table(("core", "what", "aim", "found", "held"), [claim.row for claim in made])]


def _plots(root: Path) -> list[str]:
    plots = sorted((root / FOLDER).glob("*.svg"))
    lines = [f"![{plot.stem.replace('_', ' ')}](results/study/{plot.name})" for plot in plots]
    return [*lines, ""] if lines else []


def _predictions(found: Evaluation) -> list[str]:
    head = ["core", "actions", "seeds"]
    head += [f"{name}, {PARTS[part]}" for name, (_, parts) in MEASURES.items() for part in parts]
    rows = [_still_row(found)]
    for group in found.groups:
        cells = [group.label, str(group.chunk), str(len(group.runs))]
        for measure, parts in MEASURES.values():
            cells += [_cm(group.prediction[part][measure].get(AHEAD)) for part in parts]
        rows.append(tuple(cells))
    return table(tuple(head), rows)


def _still_row(found: Evaluation) -> tuple[str, ...]:
    still = {part.name: part.still for part in found.parts}
    cells = [_cm(still[part][measure].get(AHEAD)) for measure, parts in MEASURES.values() for part in parts]
    return ("nothing moves", "–", "–", *cells)


def _costs(found: Evaluation) -> list[str]:
    rows = [
        (group.label, *_cost_cells(group, group.costs)) for group in found.groups if group.costs is not None
    ]
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


def _cost_cells(group: Group, costs: Costs) -> tuple[str, ...]:
    flops = (costs.flops.transition[1], costs.flops.rollout[1])
    cells = [f"{costs.parameters['core'] / 1e3:.0f}", *(f"{count / 1e6:.2f}" for count in flops)]
    wanted = (("mean", group.chunk), ("mean", 64), ("gate", 64))
    return (*cells, *(_timing(costs, loops, steps) for loops, steps in wanted))


def _timing(costs: Costs, loops: str, steps: int) -> str:
    found = timed(costs, loops, steps)
    return "–" if found is None else f"{found.ms.p50:.2f} / {found.ms.p99:.2f}"


def _iterations(found: Evaluation) -> list[str]:
    looped = [group for group in found.groups if PART in group.looping]
    counts = sorted({depth.loops for group in looped for depth in group.looping[PART].depths})
    rows = []
    for group in looped:
        at = {depth.loops: depth.errors[MOVED][AHEAD] for depth in group.looping[PART].depths}
        rows.append((group.label, *(_cm(at.get(count)) for count in counts)))
    if not rows:
        return []
    return [
        "",
        "### Error by iterations",
        "",
        f"On a cube that moved, {AHEAD * found.period_s:g} s ahead [cm], as many in every transition.",
        "",
        *table(("core", *map(str, counts)), rows),
    ]


def _loops(found: Evaluation) -> list[str]:
    rows = [
        row
        for group in found.groups
        if group.stability  # the main arms
        for part in (part for part in PARTS if part in group.looping)
        for test in TESTS
        if (row := _exit_row(group, part, test)) is not None
    ]
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
        "error / best fixed",
    )
    return [
        "",
        "### Loops by what happens",
        "",
        "Mean iterations of an imagined transition. Of the thresholds that were tried of each test, the",
        f"cheapest whose error on objects that moved, {AHEAD * found.period_s:g} s ahead, is at most 2 %",
        "above that of the best fixed number of iterations; a test of which none is does not appear.",
        "",
        *table(head, rows),
    ]


def _exit_row(group: Group, part: str, test: str) -> tuple[str, ...] | None:
    chosen = cheapest_exit(group, part, test)
    if chosen is None:
        return None
    phases = (chosen.loops.free, chosen.loops.onset, chosen.loops.sustained)
    counts = ["–" if phase is None else f"{phase.mean:.2f}" for phase in phases]
    ratio = chosen.loops.onset_to_free
    relation = "–" if ratio is None else f"{ratio.mean:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    name = test.replace("_", " ")
    return (
        group.label,
        PARTS[part],
        name,
        f"{chosen.threshold:g}",
        *counts,
        relation,
        f"{against_best(group, part, chosen):.3f}",
    )


def _stability(found: Evaluation) -> list[str]:
    rows = [_stable_row(group, part) for group in found.groups for part in group.stability]
    if not rows:
        return []
    head = (
        "core", "part", "largest state RMS", "growth, objects", "growth, tool", "gain, transition",
        "gain, iteration", "largest Abar",
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


def _stable_row(group: Group, part: str) -> tuple[str, ...]:
    seeds, gains = group.stability[part].seeds, group.gain.get("test-chain", ())
    growth = {what: [seed.growth.get(what) for seed in seeds] for what in ("object", "tool")}
    columns = (
        [f"{seed.largest_rms:.2f}" for seed in seeds],
        *(["–" if p is None else f"{p.mean:.2f}" for p in column] for column in growth.values()),
        [f"{gain.transition.p50:.2f}" for gain in gains],
        [f"{gain.iteration.p50:.2f}" for gain in gains if gain.iteration],
        [f"{gain.retained.max:.2f}" for gain in gains if gain.retained],
    )
    return (group.label, part, *(" ".join(column) or "–" for column in columns))


def _cm(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return f"{100 * interval.mean:.2f} ({100 * interval.low:.2f} to {100 * interval.high:.2f})"
