"""One line of a list of checks: what was looked at, what was found, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check."""

    name: str
    good: bool
    found: str
    fix: str = ""  # what to do, where it is not good
    warning: bool = False  # good enough, and yet there is something to do
