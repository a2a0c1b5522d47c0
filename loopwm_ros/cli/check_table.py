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
        mark = "[green]✓" if check.good else "[red]✗"
        table.add_row(mark, check.name, escape(check.found), "" if check.good else escape(check.fix))
    Console().print(table)
    return all(check.good for check in done)
