"""A table in Markdown, and numbers for it."""

from __future__ import annotations

from collections.abc import Iterable


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A Markdown table."""
    lines = [columns, ("---",) * len(columns), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def number(value: float | None, digits: int = 1) -> str:
    """A rounded number; a dash for what was not measured."""
    return "–" if value is None else f"{value:.{digits}f}"
