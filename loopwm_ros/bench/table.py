"""Prints what was timed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from loopwm_ros.bench.results import CameraBench, DeadlineBench, NodeUsage, PlannerBench, StartBench, Times
from loopwm_ros.validation.statistics import Spread

TIMES = ("p50 [ms]", "p99", "p99.9", "CPU")
WORK = ("MFLOP", "of peak")


def print_bench(console: Console, bench: PlannerBench) -> None:
    """Two tables: our cycles, and the peers' plans."""
    machine = bench.machine
    console.print(
        f"{machine.cpu}, core {machine.core}: a matrix product reaches {machine.peak_gflops:g} GFLOP/s; "
        f"{bench.rounds} rounds",
        highlight=False,
    )
    table = Table(title=f"control cycles, {bench.rows[0].bundle}, task {bench.task}")
    for name in ("candidates", "horizon", "refinements", "loops", "used", "on", *TIMES, *WORK):
        table.add_column(name, justify="left" if name == "on" else "right")
    for row in bench.rows:
        table.add_row(
            f"{row.candidates}{' *' if row.shipped else ''}",
            str(row.horizon),
            str(row.refinements),
            row.loops,
            f"{row.loops_used:.2f}",
            f"{row.provider.removesuffix('ExecutionProvider')}\n{row.precision}",
            *_times(row.times),
            *_work(row.mflop, row.peak_share),
        )
    console.print(table)
    console.print("* the task's own settings", highlight=False)
    if bench.peers:
        _print_peers(console, bench)


def print_deadlines(console: Console, bench: DeadlineBench) -> None:
    """One row a rate of commands."""
    beside = (
        f"a busy process beside on each of {bench.machine.cores} cores" if bench.stress else "nothing beside"
    )
    table = Table(title=f"commands in time; {bench.machine.cpu}, {beside}")
    names = ("commands/s", "commands", "late", "plans", "p50 [ms]", "p99", "max", "loops", "candidates")
    for name in (*names, "refinements", "success"):
        table.add_column(name, justify="right")
    for run in bench.runs:
        made = run.summary
        cycle = (made.cycle_ms.p50, made.cycle_ms.p99, made.cycle_ms.max)
        work = (made.loops.mean, made.candidates.mean, made.refinements.mean)
        table.add_row(
            f"{run.commands_per_second:g}",
            str(made.cycles),
            str(made.deadline_misses),
            str(made.plans),
            *("-" if value is None else f"{value:.1f}" for value in cycle),
            *("-" if value is None else f"{value:.2f}" for value in work),
            f"{made.success} of {made.episodes}",
        )
    console.print(table)
    _print_nodes(console, bench)
    _print_timing(console, bench)


def print_start(console: Console, bench: StartBench) -> None:
    """Two tables: the steps of a cold start, and idle nodes."""
    table = Table(title=f"cold start, {len(bench.starts)} times; {bench.cpu}, {bench.cores} cores")
    for name in ("step", "median [s]", "slowest"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for step in bench.starts[0]:
        seconds = [start[step] for start in bench.starts]
        table.add_row(step, f"{median(seconds):.2f}", f"{max(seconds):.2f}")
    console.print(table)
    _print_usage(console, "nodes with nothing to do", [((), node) for node in bench.idle])


def print_camera(console: Console, bench: CameraBench) -> None:
    """One row a transport."""
    table = Table(title=f"reading pictures, without the model; {bench.cpu}, {bench.seconds:g} s each")
    for name in ("transport", "size", "sent [Hz]", "came", "made input", "of a core", "without pictures"):
        table.add_column(name, justify="left" if name == "transport" else "right")
    for row in bench.rows:
        rates = (f"{row.rate:g}", f"{row.read:.1f}", f"{row.prepared:.1f}")
        shares = (f"{row.cores:.1%}", f"{row.idle_cores:.1%}")
        table.add_row(row.transport, f"{row.width}x{row.height}", *rates, *shares)
    console.print(table)


def _print_nodes(console: Console, bench: DeadlineBench) -> None:
    found = [((f"{run.commands_per_second:g}",), node) for run in bench.runs for node in run.nodes]
    _print_usage(console, "what the nodes took", found, "commands/s")


def _print_timing(console: Console, bench: DeadlineBench) -> None:
    evenness = Table(title="how evenly they published, by the time at which each message left")
    for name in ("commands/s", "node", "topic", "messages", "period [ms]", "off by p50 [ms]", "p99", "max"):
        evenness.add_column(name, justify="left" if name in ("node", "topic") else "right")
    waits = Table(title="from one node to the next")
    for name in ("commands/s", "from", "times", "p50 [ms]", "p99", "max"):
        waits.add_column(name, justify="left" if name == "from" else "right")
    for run in bench.runs:
        rate = f"{run.commands_per_second:g}"
        for each in run.topics:
            counted = (str(each.messages), f"{each.period_ms:.2f}")
            evenness.add_row(rate, each.node, each.topic, *counted, *_spread(each.off_ms))
        for step in run.steps:
            waits.add_row(rate, step.step, str(step.times), *_spread(step.ms))
        waits.add_row(rate, "picture taken to its plan's effect", "", *_spread(run.summary.delay_ms))
    for table in (evenness, waits):
        if table.row_count:
            console.print(table)


def _spread(ms: Spread) -> tuple[str, ...]:
    return tuple("-" if value is None else f"{value:.2f}" for value in (ms.p50, ms.p99, ms.max))


def _print_usage(
    console: Console, title: str, found: Sequence[tuple[tuple[str, ...], NodeUsage]], *of: str
) -> None:
    """`of`: columns before the node's, whose cells stand beside each of `found`."""
    if not found:
        return
    table = Table(title=title)
    for name in (*of, "node", "cores", "memory [MB]", "growth [MB/h]", "threads"):
        table.add_column(name, justify="left" if name == "node" else "right")
    for cells, node in found:
        growth = "-" if node.growth_mb_per_hour is None else f"{node.growth_mb_per_hour:+.1f}"
        row = (node.node, f"{node.cores:.3f}", f"{node.rss_mb[-1]:.0f}", growth, str(node.threads))
        table.add_row(*cells, *row)
    console.print(table)


def _print_peers(console: Console, bench: PlannerBench) -> None:
    table = Table(title="one plan of others, without their encoder")
    for name in ("planner", "parameters", *TIMES, *WORK, "times our whole cycle"):
        table.add_column(name, justify="left" if name == "planner" else "right")
    for row in bench.peers:
        size = f"{row.parameters / 1e6:.2f} M"
        work = _work(row.mflop, row.peak_share)
        table.add_row(
            f"{row.name}\n[dim]{row.what}", size, *_times(row.times), *work, f"{bench.ratio[row.name]:.1f}"
        )
    console.print(table)


def _times(times: Times) -> tuple[str, ...]:
    return tuple(f"{value:.2f}" for value in (times.median_ms, times.p99_ms, times.p999_ms, times.cpu_ms))


def _work(mflop: float | None, share: float | None) -> tuple[str, str]:
    if mflop is None or share is None:
        return "-", "-"
    return f"{mflop:.0f}", f"{share:.1%}"
