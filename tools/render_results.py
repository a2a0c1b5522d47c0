"""Write docs/results.md and the pages of failures from the run summaries in docs/results/*.json.

No number is typed by hand. A task on an arm of which nothing was measured is left out; of one that was, all
runs of tools/result_runs.py must be there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import faults_page
import validations_page
from calibration_section import calibration
from closed_loop_section import closed_loop
from executors_section import executors
from failures_page import failures
from filter_section import safety_filter
from markdown_table import number, table
from model_section import end_to_end, open_loop, other, unpredicted
from planner_section import planner
from result_runs import FOLDER, ROOT, RUNS, Runs, options
from study_section import study

from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.validation.stage import WHEN
from loopwm_ros.validation.statistics import Spread
from loopwm_ros.validation.summary import Summary, read_summary


def interval(value: tuple[float, float] | None) -> str:
    """An interval of a rate."""
    return "–" if value is None else f"{value[0]:.1%} to {value[1]:.1%}"


def spread(value: Spread, *keys: str) -> str:
    """The named percentiles of a duration."""
    if value.p50 is None:
        return "–"
    return " / ".join(number(getattr(value, key)) for key in keys)


def read_runs(root: Path) -> Runs:
    """Every measured run in the list's order.

    Raises:
        SystemExit: some runs of a task on an arm are missing, not in the list, or made by another command.
    """
    files = {path.stem: path for path in (root / FOLDER).glob("*.json") if path.stem != faults_page.NAME}
    if unknown := sorted(files.keys() - RUNS.keys()):
        raise SystemExit(f"not in tools/result_runs.py: {', '.join(unknown)}")
    runs = {name: read_summary(files[name]) for name in RUNS if name in files}
    measured = {RUNS[name].subject for name in runs}
    wanted = [name for name, run in RUNS.items() if run.subject in measured]
    if missing := [name for name in wanted if name not in runs]:
        raise SystemExit(f'not measured: {", ".join(missing)}; make results RESULTS="{" ".join(missing)}"')
    for name, summary in runs.items():
        if options(summary) != RUNS[name].options:
            raise SystemExit(
                f"{FOLDER}/{name}.json was made with\n  {options(summary)}\nnot with\n  {RUNS[name].options}"
            )
    return runs


def outcomes(runs: Runs) -> list[str]:
    """How often each run succeeded, and how fast."""
    precise = next(iter(runs.values())).precise_distance_m
    columns = ["run", "success", "95 % interval", "median time [s]"]
    if precise is not None:
        columns += [f"within {precise * 100:g} cm", "95 % interval", "median time [s]"]
    rows = []
    for name, run in runs.items():
        cells = [name, f"{run.success} of {run.episodes}", interval(run.wilson95)]
        cells += [number(run.median_time_to_success_s)]
        if precise is not None:
            cells += [f"{run.precise} of {run.episodes}", interval(run.precise_wilson95)]
            cells += [number(run.median_precise_time_s)]
        rows.append(tuple(cells))
    return table(tuple(columns), rows)


def timing(runs: Runs, shipped: str) -> list[str]:
    """What planning took, of the runs that planned."""
    columns = (
        "run",
        "cycle p50 / p99 / max [ms]",
        "misses / control periods",
        "real-time factor",
        "loops mean (p50, p95)",
        "delay p50 / p99 [ms]",
        "model",
    )
    return table(columns, (_timed(name, run, shipped) for name, run in runs.items() if run.plans))


def _timed(name: str, run: Summary, shipped: str) -> tuple[str, ...]:
    loops = run.loops
    model = "–" if run.bundle_sha256 is None else run.bundle_sha256[:8]
    return (
        name,
        spread(run.cycle_ms, "p50", "p99", "max"),
        f"{run.deadline_misses} / {run.cycles}" if run.cycle_deadline_ms else "–",
        number(run.real_time_factor, 2),
        f"{loops.mean:.2f} ({loops.p50}, {loops.p95})" if loops.mean else "–",
        spread(run.delay_ms, "p50", "p99"),
        model if run.bundle_sha256 in (None, shipped) else f"{model} (an earlier one)",
    )


def disturbances(runs: Runs) -> list[str]:
    """How often episodes recovered, by what happened in them."""
    rows = [
        (
            name,
            kind.kind.replace("_", " "),
            f"{kind.success} of {kind.episodes}",
            interval(kind.wilson95),
            "–" if kind.precise is None else f"{kind.precise} of {kind.episodes}",
            number(kind.median_recovery_s),
            str(kind.at_once),
        )
        for name, run in runs.items()
        for kind in run.recoveries
    ]
    if not rows:
        return []
    columns = (
        "run",
        "what happens",
        "recovered",
        "95 % interval",
        "precise, too",
        "median, from then on [s]",
        "in place already",
    )
    return [
        "",
        f"One thing happens in each episode, {WHEN[0]:g} to {WHEN[1]:g} s after its start; only what is held",
        "after it counts. In place already: those that recovered without anything left to do. A quarter of",
        "the recordings that the model was trained on has a disturbance of these kinds, too, drawn anew.",
        "",
        *table(columns, rows),
    ]


def criterion(run: Summary) -> str:
    """What counted as a success, in words."""
    precise = run.precise_distance_m
    also = "" if precise is None else f"; an episode goes on until {precise * 100:g} cm were held, too"
    return (
        f"Success: within {run.success_distance_m * 100:g} cm, held {run.success_hold_s:g} s, "
        f"within {run.time_limit_s:g} s{also}."
    )


def section(title: str, runs: Runs, shipped: Bundle, page: str | None) -> list[str]:
    """The page's part on one task on one arm."""
    provenance = shipped.manifest.provenance
    revisions = " + ".join(revision[:12] for revision in provenance.git_revision.split("+"))
    period, mean_loops = shipped.manifest.spec.model_period, shipped.manifest.spec.mean_loops
    return [
        "",
        f"## {title}",
        "",
        f"Shipped model: `{shipped.manifest.name}`, manifest {shipped.sha256[:8]},",
        f"made at revision {revisions} from data {provenance.data_sha256[:8]}.",
        criterion(next(iter(runs.values()))),
        "",
        *outcomes(runs),
        *disturbances(runs),
        *([] if page is None else ["", f"Each failure, with a film strip: [{page}]({page})."]),
        "",
        *timing(runs, shipped.sha256),
        "",
        "Each run again (`make results` makes them all):",
        "",
        "```sh",
        *(RUNS[name].command(name) for name in runs),
        "```",
        "",
        f"### {title}: the model on held-out episodes",
        "",
        f"Mean open-loop error after K imagined actions of {period:g} s: with {mean_loops} loops in each",
        "transition, with the gate's own choice, and for a prediction that nothing moves. Readings are the",
        "encoder's, from one frame.",
        "",
        *open_loop(provenance.metrics, unpredicted(provenance.config)),
        "",
        *other(provenance.metrics),
        *end_to_end(provenance.metrics, unpredicted(provenance.config)),
    ]


def render(root: Path) -> dict[Path, str]:
    """All pages, by path."""
    runs = read_runs(root)
    pages: dict[Path, str] = {}
    lines = [
        "# Results",
        "",
        "Written by `make docs` from the files in `docs/results/`; a test keeps both together.",
        "",
        "The distance is from the tool to the goal's surface or, where a task moves an object, from that",
        "object's centre to the goal's along the table.",
        "Cycle: from a planning slot's start to its plan's end; the deadline is the slot's end, in real time",
        "only. Miss: a command that was late or had no plan in time, or a plan that ended after its slot.",
        "Real-time factor: simulated over wall time; below 1 the machine could not keep the pace.",
        "Delay: from a frame's capture to the moment the plan made from it takes effect. Where no bundle is",
        "needed, or nothing was measured, there is a dash. With `--workers 2` two episodes ran at once:",
        "their cycles take longer, and nothing else changes.",
    ]
    for task, arm in dict.fromkeys(RUNS[name].subject for name in runs):
        those = {name: run for name, run in runs.items() if RUNS[name].subject == (task, arm)}
        filmed = {name: run for name, run in those.items() if RUNS[name].shown}
        title = f"{task.capitalize()} with {arm}"
        page = f"failures-{arm}-{task}.md" if filmed else None
        lines += section(title, those, load_bundle(root / "models" / f"{arm}_{task}"), page)
        if page is not None:
            pages[root / "docs" / page] = "\n".join(failures(title, filmed, root)) + "\n"
    lines += study(root)
    lines += closed_loop(root)
    lines += planner(root)
    lines += executors(root)
    lines += safety_filter(root)
    lines += calibration(root)
    if (measured := root / FOLDER / f"{faults_page.NAME}.json").exists():
        pages[root / "docs" / f"{faults_page.NAME}.md"] = faults_page.faults(measured)
    if validated := validations_page.validations(root):
        pages[root / "docs" / f"{validations_page.NAME}.md"] = validated
    pages[root / "docs" / "results.md"] = "\n".join(lines) + "\n"
    return pages


def main() -> None:
    """Render, or with `--check` only compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    check = parser.parse_args().check
    for page, text in render(ROOT).items():
        if not check:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{page.relative_to(ROOT)} is out of date: run `make docs`")


if __name__ == "__main__":
    main()
