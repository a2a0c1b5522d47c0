"""What `loopwm validate` shows: progress by part, then the checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from loopwm_ros.validation.certificate import Certificate


class Parts:
    """A bar for each part of a suite."""

    def __init__(self, console: Console, planned: Mapping[str, int]) -> None:
        """`planned`: episodes of each part."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[solved]} solved"),
            TimeRemainingColumn(),
            console=console,
        )
        self._bars = {
            name: self._progress.add_task(name, total=episodes, solved=0)
            for name, episodes in planned.items()
        }
        self._solved = dict.fromkeys(planned, 0)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the bars on the screen."""
        with self._progress:
            yield

    def finished(self, part: str, success: bool) -> None:
        """An episode of a part is over."""
        self._solved[part] += success
        self._progress.update(self._bars[part], advance=1, solved=self._solved[part])

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(text, highlight=False)


def print_verdict(console: Console, certificate: Certificate) -> None:
    """Every check, then the verdict."""
    table = Table(
        "", "check", "measured", "required", "what", title=f"{certificate.suite}, {certificate.arm}"
    )
    for check in certificate.checks:
        mark = "[green]✓" if check.passed else "[red]✗"
        value = "not measured" if check.value is None else f"{check.value:.4g}"
        table.add_row(mark, escape(check.name), value, f"{check.kind} {check.limit:g}", escape(check.what))
    console.print(table)
    failed = len(certificate.failed)
    console.print(
        "[bold green]passed"
        if certificate.passed
        else f"[bold red]not passed: {failed} of {len(certificate.checks)} checks"
    )
