"""Write docs/results.md from the run summaries in docs/results/*.json, so that no number is typed by hand."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from loopwm_ros.bundle import load_bundle
from loopwm_ros.validation.statistics import Spread
from loopwm_ros.validation.summary import Summary, read_summary

HORIZON = re.compile(r"(open_loop|gated|still)_(\w+)_k(\d+)_cm")
WAYS = {"open_loop": "fixed loops", "gated": "gate", "still": "nothing moves"}
ROOT = Path(__file__).resolve().parents[1]
COLUMNS = (
    "run",
    "success",
    "95 % interval",
    "median time [s]",
    "cycle p50 / p99 / max [ms]",
    "misses / control periods",
    "real-time factor",
    "loops mean (p50, p95)",
    "delay p50 / p99 [ms]",
    "model",
)


def number(value: float | None, digits: int = 1) -> str:
    """A rounded number; a dash for what was not measured."""
    return "–" if value is None else f"{value:.{digits}f}"


def spread(value: Spread, *keys: str) -> str:
    """The named percentiles of a duration."""
    if value.p50 is None:
        return "–"
    return " / ".join(number(getattr(value, key)) for key in keys)


def command(summary: Summary, path: Path) -> str:
    """The command that repeats a run."""
    parts = [f"loopwm sim --task {summary.task} --arm {summary.arm} --episodes {summary.episodes}"]
    parts.append(f"--seed {summary.seed}")
    parts += ["--lockstep"] if summary.mode == "lockstep" else []
    parts += [f"--controller {summary.controller}"] if summary.controller != "mpc" else []
    parts += [f"--loops {summary.loops_requested}"] if summary.loops_requested != "auto" else []
    parts += ["--blank-camera"] if summary.blank_camera else []
    return " ".join([*parts, f"--required 0 --json docs/results/{path.name}"])


def row(name: str, summary: Summary, shipped: str) -> tuple[str, ...]:
    """One run as table cells."""
    interval, loops = summary.wilson95, summary.loops
    model = "–" if summary.bundle_sha256 is None else summary.bundle_sha256[:8]
    return (
        name,
        f"{summary.success} of {summary.episodes}",
        "–" if interval is None else f"{interval[0]:.0%} to {interval[1]:.0%}",
        number(summary.median_time_to_success_s),
        spread(summary.cycle_ms, "p50", "p99", "max"),
        f"{summary.deadline_misses} / {summary.cycles}" if summary.cycle_deadline_ms else "–",
        number(summary.real_time_factor, 2),
        "–" if loops.mean is None else f"{loops.mean:.2f} ({loops.p50}, {loops.p95})",
        spread(summary.delay_ms, "p50", "p99"),
        model if summary.bundle_sha256 in (None, shipped) else f"{model} (an earlier one)",
    )


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A Markdown table."""
    lines = [columns, ("---",) * len(columns), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def criterion(summary: Summary) -> str:
    """What counted as a success, in words."""
    return (
        f"tool within {summary.success_distance_m * 100:g} cm of the ball's surface, held "
        f"{summary.success_hold_s:g} s, within {summary.time_limit_s:g} s"
    )


def open_loop(metrics: dict[str, float]) -> list[str]:
    """Open-loop errors: a row for each way to predict each point, a column for each horizon."""
    found = {m.groups(): value for name, value in metrics.items() if (m := HORIZON.fullmatch(name))}
    horizons = sorted({int(k) for _, _, k in found})
    rows = [
        (point, WAYS[way], *(f"{found[way, point, str(k)]:.2f}" for k in horizons))
        for point, way in sorted({(point, way) for way, point, _ in found}, reverse=True)
    ]
    return table(("point", "prediction", *(f"K = {k} [cm]" for k in horizons)), rows)


def other(metrics: dict[str, float]) -> list[str]:
    """All other metrics."""
    rest = {name: value for name, value in metrics.items() if not HORIZON.fullmatch(name)}
    return table(("metric", "value"), ((name, f"{value:.3g}") for name, value in sorted(rest.items())))


def render(results: Path, bundle: Path) -> str:
    """The whole page."""
    runs = {path: read_summary(path) for path in sorted(results.glob("*.json"))}
    shipped = load_bundle(bundle)
    provenance = shipped.manifest.provenance
    period, mean_loops = shipped.manifest.spec.model_period, shipped.manifest.spec.mean_loops
    lines = [
        "# Results",
        "",
        "Written by `make docs` from the files in `docs/results/`; a test keeps both together.",
        "",
        f"Shipped model: `{shipped.manifest.name}`, manifest {shipped.sha256[:8]},",
        f"made at revision {provenance.git_revision[:12]} from data {provenance.data_sha256[:8]}.",
        "",
        "## Runs",
        "",
        f"Success: {'; '.join(sorted({criterion(s) for s in runs.values()}))}.",
        "Cycle: from a planning slot's start to its plan's end; the deadline is the slot's end, in real time",
        "only. Miss: a command that was late or had no plan in time, or a plan that ended after its slot.",
        "Real-time factor: simulated over wall time; below 1 the machine could not keep the pace.",
        "Delay: from a frame's capture to the moment the plan made from it takes effect. Where no bundle is",
        "needed, or nothing was measured, there is a dash.",
        "",
        *table(COLUMNS, (row(path.stem, summary, shipped.sha256) for path, summary in runs.items())),
        "",
        "Each run again (`make results` makes them all):",
        "",
        "```sh",
        *(command(summary, path) for path, summary in runs.items()),
        "```",
        "",
        "## The model on held-out episodes",
        "",
        f"Mean open-loop error after K imagined transitions of {period:g} s: with {mean_loops} loops in",
        "each, with the gate's own choice, and for a prediction that nothing moves. Readings are the",
        "encoder's, from one frame.",
        "",
        *open_loop(provenance.metrics),
        "",
        *other(provenance.metrics),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Render, or with `--check` only compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    page = ROOT / "docs" / "results.md"
    text = render(ROOT / "docs" / "results", ROOT / "models" / "panda_reach")
    if not parser.parse_args().check:
        page.write_text(text, encoding="utf-8")
    elif page.read_text(encoding="utf-8") != text:
        raise SystemExit("docs/results.md is out of date: run `make docs`")


if __name__ == "__main__":
    main()
