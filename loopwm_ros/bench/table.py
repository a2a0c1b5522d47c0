"""Prints what was timed."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from loopwm_ros.bench.results import DeadlineBench, PlannerBench, Times

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
    for name in ("candidates", "horizon", "refinements", "loops", "used", "provider", *TIMES, *WORK):
        table.add_column(name, justify="left" if name == "provider" else "right")
    for row in bench.rows:
        table.add_row(
            f"{row.candidates}{' *' if row.shipped else ''}",
            str(row.horizon),
            str(row.refinements),
            row.loops,
            f"{row.loops_used:.2f}",
            row.provider.removesuffix("ExecutionProvider"),
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


def _print_nodes(console: Console, bench: DeadlineBench) -> None:
    table = Table(title="what the nodes took")
    names = ("commands/s", "node", "cores", "memory [MB]", "growth [MB/h]", "threads")
    for name in names:
        table.add_column(name, justify="left" if name == "node" else "right")
    for run in bench.runs:
        for node in run.nodes:
            growth = "-" if node.growth_mb_per_hour is None else f"{node.growth_mb_per_hour:+.1f}"
            row = (f"{node.cores:.2f}", f"{node.rss_mb[-1]:.0f}", growth, str(node.threads))
            table.add_row(f"{run.commands_per_second:g}", node.node, *row)
    if table.row_count:
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
