"""The live table of `loopwm sim`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from loopwm_ros.types import F64
from loopwm_ros.validation.statistics import spread
from loopwm_ros.validation.summary import EpisodeResult, Summary
from loopwm_ros.validation.trace import Progress, Trace

COLUMNS = ("episode", "result", "distance", "loops used", "cycle time p50 / p99", "deadline misses")
SLOW = 0.98  # real-time factor below which the simulation was too slow to be taken as real time
SHOWN = 12  # finished episodes kept on the screen


class RunTable:
    """Finished episodes, and the present one while it runs."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._rows: list[tuple[str, ...]] = []
        self._present: tuple[str, ...] | None = None
        self._console = console
        self._live = Live(self._table(), console=console, refresh_per_second=4)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the table on the screen, and what follows on a line of its own."""
        try:
            with self._live:
                yield
        finally:
            if not self._console.is_terminal:
                self._console.print()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(text, highlight=False)

    def present(self, progress: Progress) -> None:
        """Show the running episode."""
        self._present = (
            str(progress.episode + 1),
            "…",
            "-" if progress.distance is None else _centimetres(progress.distance),
            *_cycles(progress.loops, progress.cycle_ms),
            str(progress.deadline_misses),
        )
        self._live.update(self._table())

    def finished(self, episode: Trace) -> None:
        """Add a finished episode."""
        result = episode.result
        self._rows.append(
            (
                str(result.index + 1),
                _outcome(result),
                _centimetres(result.final_distance_m),
                *_cycles(episode.loops.values, episode.cycle_ms.values),
                str(result.deadline_misses),
            )
        )
        self._present = None
        self._live.update(self._table())

    def _table(self) -> Table:
        table = Table(*COLUMNS, title=self._title)
        for row in [*self._rows[-SHOWN:], *([self._present] if self._present else [])]:
            table.add_row(*row)
        return table


def _outcome(result: EpisodeResult) -> str:
    if result.time_to_success_s is None:
        return "[red]failed" + (f": {result.why}" if result.why else "")
    said = f"[green]success in {result.time_to_success_s:.1f} s"
    return said if result.precise_time_s is None else f"{said}, precise in {result.precise_time_s:.1f} s"


def _centimetres(metres: float) -> str:
    return f"{metres * 100:.1f} cm"


def _cycles(loops: F64, milliseconds: F64) -> tuple[str, str]:
    """Mean loops, and cycle times, of one episode's planning cycles."""
    used, time = loops[loops > 0], spread(milliseconds.tolist())
    return (
        f"{used.mean():.2f}" if len(used) else "-",
        "-" if time.p50 is None else f"{time.p50:.1f} / {time.p99:.1f} ms",
    )


def _median(seconds: float | None) -> str:
    return "" if seconds is None else f", median {seconds:.1f} s"


def print_summary(console: Console, summary: Summary) -> None:
    """The run in a few lines."""
    low, high = summary.wilson95 or (0.0, 1.0)
    cycle, loops = summary.cycle_ms, summary.loops.mean
    factor = summary.real_time_factor
    console.print(
        f"[bold]{summary.success} of {summary.episodes} episodes succeeded[/bold] "
        f"(95 % interval {low:.0%} to {high:.0%})" + _median(summary.median_time_to_success_s)
    )
    if summary.precise is not None:
        low, high = summary.precise_wilson95 or (0.0, 1.0)
        console.print(
            f"{summary.precise} within {(summary.precise_distance_m or 0.0) * 100:g} cm "
            f"(95 % interval {low:.0%} to {high:.0%})" + _median(summary.median_precise_time_s)
        )
    for kind in summary.recoveries:
        console.print(
            f"{kind.kind}: {kind.success} of {kind.episodes} recovered"
            + _median(kind.median_recovery_s)
            + (f", {kind.at_once} in place already" if kind.at_once else "")
        )
    if cycle.p50 is not None:
        console.print(
            f"cycle {cycle.p50:.1f} ms (p99 {cycle.p99:.1f}, max {cycle.max:.1f}), "
            f"{summary.deadline_misses} deadline misses in {summary.cycles} control periods, "
            f"{summary.plans} plans" + ("" if loops is None else f", {loops:.2f} loops a transition")
        )
    if factor is not None and factor < SLOW:
        console.print(
            f"[yellow]warning: the simulation ran at {factor:.2f} of real time: this machine is too slow or "
            "too busy, and the run shows less than real time would"
        )
