"""Which code this is."""

from __future__ import annotations

import subprocess
from pathlib import Path

UNKNOWN = "unknown"
FILE = "revision.txt"  # in a run: each revision that trained it, a line each


def note_revision(run: Path) -> None:
    """Note that the present revision trains a run, unless it was the last one that did."""
    revision, noted = git_revision(), noted_revisions(run)
    if noted[-1:] != [revision]:
        (run / FILE).write_text("".join(f"{line}\n" for line in [*noted, revision]), encoding="utf-8")


def noted_revisions(run: Path) -> list[str]:
    """The revisions that trained a run, in order."""
    return (run / FILE).read_text(encoding="utf-8").split() if (run / FILE).exists() else []


def git_revision() -> str:
    """Commit of this source tree, with `-dirty` where it has changes; `unknown` outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
