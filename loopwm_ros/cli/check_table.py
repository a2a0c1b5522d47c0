"""Prints a list of checks."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loopwm_ros.validation.checks import Check


def print_checks(title: str, checks: Iterable[Check]) -> bool:
    """Print a table of checks; whether all of them are good."""
    table = Table("", "check", "found", "to do", title=title)
    done = list(checks)
    for check in done:
        mark = "[red]✗" if not check.good else "[yellow]!" if check.warning else "[green]✓"
        fix = "" if check.good and not check.warning else check.fix
        table.add_row(mark, check.name, escape(check.found), escape(fix))
    Console().print(table)
    return all(check.good for check in done)
