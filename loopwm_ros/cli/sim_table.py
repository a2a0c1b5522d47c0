"""The live table of `loopwm sim`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from loopwm_ros.validation.summary import EpisodeResult, Summary

COLUMNS = ("episode", "result", "distance", "loops", "cycle p50 / p99", "deadline misses")
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

    def present(self, episode: int, distance: float | None, mpc: dict[str, str]) -> None:
        """Show the running episode; `mpc` are the mpc node's diagnostics."""
        cycle = f"{mpc.get('cycle_ms_p50') or '-'} / {mpc.get('cycle_ms_p99') or '-'} ms"
        loops, misses = mpc.get("loops_mean") or "-", mpc.get("deadline_misses") or "-"
        self._present = (str(episode + 1), "…", _centimetres(distance), loops, cycle, misses)
        self._live.update(self._table())

    def finished(self, result: EpisodeResult, loops: float | None) -> None:
        """Add a finished episode."""
        time = result.time_to_success_s
        verdict = "[red]failed" if time is None else f"[green]success in {time:.1f} s"
        misses, cycle = str(result.deadline_misses), self._present[4] if self._present else "-"
        mean = "-" if loops is None else f"{loops:.2f}"
        distance = _centimetres(result.final_distance_m)
        self._rows.append((str(result.index + 1), verdict, distance, mean, cycle, misses))
        self._present = None
        self._live.update(self._table())

    def _table(self) -> Table:
        table = Table(*COLUMNS, title=self._title)
        for row in [*self._rows[-SHOWN:], *([self._present] if self._present else [])]:
            table.add_row(*row)
        return table


def _centimetres(metres: float | None) -> str:
    return "-" if metres is None else f"{metres * 100:.1f} cm"


def print_summary(console: Console, summary: Summary) -> None:
    """The run in a few lines."""
    low, high = summary.wilson95 or (0.0, 1.0)
    time, cycle, loops = summary.median_time_to_success_s, summary.cycle_ms, summary.loops.mean
    factor = summary.real_time_factor
    console.print(
        f"[bold]{summary.success} of {summary.episodes} episodes succeeded[/bold] "
        f"(95 % interval {low:.0%} to {high:.0%})" + ("" if time is None else f", median {time:.1f} s")
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
