"""The part of docs/results.md on how long control cycles take, and whether commands are in time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import TypeVar

from markdown_table import number, table

from loopwm_ros.bench.results import (
    CameraBench,
    CycleRow,
    DeadlineBench,
    NodeUsage,
    PlannerBench,
    StartBench,
    Times,
)
from loopwm_ros.bundle import CHECKSUM
from loopwm_ros.validation.statistics import Spread

BenchT = TypeVar("BenchT", PlannerBench, DeadlineBench, StartBench, CameraBench)

FOLDER = "docs/results/benchmarks/planner"
CYCLES, DEADLINES, STARTS, CAMERAS = "cycles-*.json", "deadline-*.json", "start-*.json", "camera*.json"
USUAL_RATES = [20.0, 50.0]  # of `loopwm bench deadline`
COMMANDS = {
    "clutter": "loopwm bench planner --task clutter --candidates 160,320 --refinements 1,2 "
    "--precision float32 --precision int8",
    "push": "loopwm bench planner --task push --peer --compiled --loops auto,1,4",
}


def planner(root: Path) -> list[str]:
    """The section; empty where nothing was measured."""
    cycles = _read(root, CYCLES, PlannerBench)
    deadlines, starts = _read(root, DEADLINES, DeadlineBench), _read(root, STARTS, StartBench)
    cameras = _read(root, CAMERAS, CameraBench)
    shipped = _shipped(root)
    lines = [*_cycles(cycles, shipped), *_deadlines(deadlines, shipped), *_starts(starts), *_cameras(cameras)]
    return ["", "## Time", "", *lines] if lines else []


def _read(root: Path, pattern: str, kind: type[BenchT]) -> list[BenchT]:
    paths = sorted((root / FOLDER).glob(pattern))
    return [kind.model_validate_json(path.read_text(encoding="utf-8")) for path in paths]


def _shipped(root: Path) -> set[str]:
    """Hashes of the manifests of all models that are there now."""
    files = (root / "models").glob(f"*/{CHECKSUM}")
    return {path.read_text(encoding="utf-8").split()[0] for path in files}


def _cycles(benches: list[PlannerBench], shipped: set[str]) -> list[str]:
    if not benches:
        return []
    ours = [
        (
            _named(row, bench.bundle_sha256 in shipped),
            f"{row.candidates} x {row.horizon} x {row.refinements}",
            f"{row.loops} ({row.loops_used:.2f})",
            *_times(row.times),
            "–" if row.peak_share is None else f"{row.peak_share:.0%}",
        )
        for bench in benches
        for row in bench.rows
    ]
    peers = [
        (peer.name, peer.what, *_times(peer.times), f"{peer.peak_share:.0%}", f"{bench.ratio[peer.name]:.1f}")
        for bench in benches
        for peer in bench.peers
    ]
    head = ("candidates x actions x refinements", "loops (used)", "p50 [ms]", "p99 [ms]", "of peak")
    lines = [
        f"Whole control cycles, from picture to joint motion, on one core of {benches[0].machine.cpu},",
        f"{_either(b.rounds for b in benches)} of each, in turns. *Peak*: what NumPy does in the same run",
        f"with large float32 matrices there, {_either(b.machine.peak_gflops for b in benches)} GFLOP/s;",
        "ONNX Runtime's own products may be a little quicker.",
        "",
        *table(("model", *head), ours),
    ]
    if peers:
        columns = ("plan of others", "what", "p50 [ms]", "p99 [ms]", "of peak", "times our whole cycle")
        lines += ["", *table(columns, peers)]
    commands = [f"{COMMANDS[b.task]} --rounds {b.rounds}" for b in benches if b.task in COMMANDS]
    return [*lines, "", "```sh", *commands, "```"]


def _either(values: Iterable[float]) -> str:
    """Those that differ, least first."""
    return " or ".join(f"{value:g}" for value in sorted(set(values)))


def _named(row: CycleRow, current: bool) -> str:
    bits = "" if row.precision == "float32" else f", {row.precision}"
    return (
        f"{row.bundle}{', as shipped' if row.shipped else ''}{bits}{'' if current else ' (an earlier one)'}"
    )


def _deadlines(benches: list[DeadlineBench], shipped: set[str]) -> list[str]:
    rows = [
        (
            f"{run.commands_per_second:g}",
            _scheduling(bench),
            f"{bench.machine.cores}" if bench.stress else "none",
            f"{run.summary.deadline_misses} of {run.summary.cycles}",
            number(run.summary.cycle_ms.p50),
            number(run.summary.cycle_ms.p99),
            number(run.summary.candidates.mean),
            number(run.summary.loops.mean, 2),
            f"{run.summary.success} of {run.summary.episodes}",
            "as shipped" if run.summary.bundle_sha256 in shipped else "an earlier one",
        )
        for bench in benches
        for run in bench.runs
    ]
    if not rows:
        return []
    columns = ("commands/s", "scheduling", "busy processes beside", "late", "cycle p50 [ms]", "p99 [ms]")
    return [
        "",
        "The whole ROS graph in real time, simulator and pictures on the same cores:",
        "",
        *table((*columns, "candidates", "loops", "success", "model"), rows),
        "",
        "A simulator that is not scheduled so, too, falls behind the load beside it and catches up; its time",
        "then leaps, and commands are held for want of a plan, which no arm would do to `mpc`.",
        "",
        *_taken(benches),
        *_evenness(benches),
        *_waits(benches),
        "```sh",
        *map(_deadline_command, benches),
        "```",
    ]


def _deadline_command(bench: DeadlineBench) -> str:
    task, rates = bench.runs[0].summary.task, [run.commands_per_second for run in bench.runs]
    given = "" if rates == USUAL_RATES else "".join(f" --rate {rate:g}" for rate in rates)
    stress = " --stress" if bench.stress else ""
    priority = f" --priority {bench.realtime_priority}" if bench.realtime_priority else ""
    return f"loopwm bench deadline --task {task} --minutes {bench.minutes:g}{given}{stress}{priority}"


def _scheduling(bench: DeadlineBench) -> str:
    if not bench.realtime_priority:
        return "as usual"
    return "SCHED_FIFO" if bench.simulator_priority else "SCHED_FIFO but for the simulator"


def _taken(benches: list[DeadlineBench]) -> list[str]:
    """What the nodes took in those runs; empty where that was not measured."""
    rows = [
        (
            f"{run.commands_per_second:g}",
            _scheduling(bench),
            *_usage(node),
        )
        for bench in benches
        for run in bench.runs
        for node in run.nodes
    ]
    if not rows:
        return []
    columns = ("commands/s", "scheduling", "node", "of a core", "memory [MB]", "growth [MB/h]")
    return ["What each node's process took meanwhile:", "", *table(columns, rows), ""]


def _evenness(benches: list[DeadlineBench]) -> list[str]:
    """How evenly nodes published; empty where that was not measured."""
    rows = [
        (
            f"{run.commands_per_second:g}",
            _scheduling(bench),
            each.node,
            f"`{each.topic}`",
            f"{each.period_ms:.1f}",
            *_spread(each.off_ms),
        )
        for bench in benches
        for run in bench.runs
        for each in run.topics
    ]
    if not rows:
        return []
    columns = ("commands/s", "scheduling", "node", "topic", "period [ms]", "off by p50 [ms]", "p99", "max")
    return [
        "How evenly they published, by when each message left. Pauses of ten periods and more, as between",
        "episodes, are left out; at 20 commands a second those of `mpc` are shorter, and in p99 and max:",
        "",
        *table(columns, rows),
        "",
    ]


def _waits(benches: list[DeadlineBench]) -> list[str]:
    """From one node to the next; empty where that was not measured."""
    rows = [
        (f"{run.commands_per_second:g}", _scheduling(bench), what, *_spread(ms))
        for bench in benches
        for run in bench.runs
        if run.steps
        for what, ms in (
            *((step.step, step.ms) for step in run.steps),
            ("picture taken to its plan's effect, which is planned for", run.summary.delay_ms),
        )
    ]
    if not rows:
        return []
    columns = ("commands/s", "scheduling", "from", "p50 [ms]", "p99", "max")
    return ["From one node to the next:", "", *table(columns, rows), ""]


def _spread(ms: Spread) -> tuple[str, ...]:
    return number(ms.p50, 2), number(ms.p99, 2), number(ms.max, 2)


def _starts(benches: list[StartBench]) -> list[str]:
    if not benches:
        return []
    steps = list(benches[0].starts[0])
    rows = [
        (
            bench.task,
            str(len(bench.starts)),
            *(_seconds([one[step] for one in bench.starts]) for step in steps),
        )
        for bench in benches
    ]
    idle = [(bench.task, *_usage(node)) for bench in benches for node in bench.idle]
    return [
        "",
        f"Cold start of `safety` and `mpc` on {benches[0].cores} cores of {benches[0].cpu}, beside a cell",
        "that is there already; seconds from the start of their processes, median / slowest:",
        "",
        *table(("task", "times", *steps), rows),
        "",
        "The same two, and `monitor`, with nothing to do: `mpc` is configured, there is no cell:",
        "",
        *table(("task", "node", "of a core", "memory [MB]", "growth [MB/h]"), idle),
        "",
        "```sh",
        *(f"loopwm bench start --task {bench.task} --times {len(bench.starts)}" for bench in benches),
        "```",
    ]


def _cameras(benches: list[CameraBench]) -> list[str]:
    rows = [
        (
            row.transport,
            f"{row.width}x{row.height}",
            f"{row.rate:g}",
            f"{row.read:.1f}",
            f"{row.prepared:.1f}",
            f"{row.cores:.1%}",
            f"{row.idle_cores:.1%}",
        )
        for bench in benches
        for row in bench.rows
    ]
    if not rows:
        return []
    return [
        "",
        f"Pictures, from the network to the model's input, without the model, on {benches[0].cpu}; *without*",
        "is what the same process takes while none come:",
        "",
        *table(("transport", "size", "sent a second", "came", "made input", "of a core", "without"), rows),
        "",
        "```sh",
        *map(_camera_command, benches),
        "```",
    ]


def _camera_command(bench: CameraBench) -> str:
    row = bench.rows[0]
    size = f"--size {row.width}x{row.height} --rate {row.rate:g}"
    return f"loopwm bench camera {size} --seconds {bench.seconds:g}"


def _seconds(values: list[float]) -> str:
    return f"{median(values):.2f} / {max(values):.2f}"


def _usage(node: NodeUsage) -> tuple[str, ...]:
    growth = "–" if node.growth_mb_per_hour is None else f"{node.growth_mb_per_hour:+.1f}"
    return node.node, f"{node.cores:.1%}", f"{node.rss_mb[-1]:.0f}", growth


def _times(times: Times) -> tuple[str, str]:
    return f"{times.median_ms:.1f}", f"{times.p99_ms:.1f}"
