"""What `loopwm calibrate` shows in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loopwm_ros.calibration.collecting import Collector
from loopwm_ros.calibration.finishing import PAGE, Result
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.verdict import Verdict

COLOURS = {"good": "green", "usable": "yellow", "redo": "red"}
SIGNS = {"good": "✓", "usable": "!", "redo": "✗"}
REFUSALS = 8  # listed
BAR = 40  # characters


def bars(collector: Collector) -> Table:
    """Coverage as bars that fill."""
    table = Table.grid(padding=(0, 2))
    for name, share in collector.progress().bars:
        colour = "green" if share >= 1.0 else "yellow"
        bar = ProgressBar(total=1.0, completed=share, width=BAR, complete_style=colour, finished_style=colour)
        table.add_row(name, bar, f"{share:.0%}")
    return table


def screen(collector: Collector, title: str, lines: Sequence[tuple[str, str]], keys: str) -> RenderableType:
    """The whole of a guided session: bars, hint, what became of the last picture, keys."""
    progress = collector.progress()
    text = Table.grid(padding=(0, 2))
    text.add_row("kept", f"{len(collector.session.shots)} in {collector.session.folder}")
    text.add_row("next", Text(progress.hint, style="bold green" if progress.enough else "bold"))
    bad = collector.last.startswith("refused")
    text.add_row("last", Text(collector.last or "nothing yet", style="red" if bad else ""))
    for name, words in lines:
        text.add_row(name, Text(words))
    return Panel(
        Group(bars(collector), Text(), text, Text(), Text(keys, style="dim")), title=title, title_align="left"
    )


def print_collected(console: Console, session: Session, collector: Collector) -> None:
    """What is kept, why other pictures are not, and what is missing."""
    console.print(bars(collector))
    console.print(f"{len(session.shots)} pictures kept in {session.folder}", highlight=False)
    for refusal in session.refusals[:REFUSALS]:
        console.print(f"  [red]refused[/red] {escape(refusal.reason)}", highlight=False)
    if (more := len(session.refusals) - REFUSALS) > 0:
        console.print(f"  and {more} more; {session.folder}/samples.jsonl has all", highlight=False)
    progress = collector.progress()
    if not progress.enough:
        console.print(f"still missing: {escape(progress.hint)}", highlight=False)


def print_result(console: Console, session_folder: str, result: Result) -> None:
    """Values, findings, verdict, files."""
    values = Table.grid(padding=(0, 2))
    for name, value in result.values.items():
        values.add_row(name, escape(value))
    console.print(values, highlight=False)
    print_verdict(console, result.verdict)
    for name in result.files:
        mark = "page" if name == PAGE else "file"
        console.print(f"{mark}: {session_folder}/{name}", highlight=False, soft_wrap=True)


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Every finding, then the verdict and what would make it better."""
    table = Table("", "measured", "value", "good", "usable")
    for finding in verdict.findings:
        unit = f" {finding.unit}" if finding.unit else ""
        table.add_row(
            f"[{COLOURS[finding.grade]}]{SIGNS[finding.grade]}",
            finding.what,
            f"{finding.value:.3g}{unit}",
            f"{finding.kind} {finding.good:g}",
            f"{finding.kind} {finding.usable:g}",
        )
    console.print(table)
    console.print(f"[bold {COLOURS[verdict.grade]}]{verdict.grade}")
    for finding in verdict.reasons:
        console.print(f"  {escape(finding.words)}: {escape(finding.advice)}", highlight=False)
