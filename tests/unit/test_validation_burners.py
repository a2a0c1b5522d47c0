"""Processes that compete for the processor end with the block that wanted them."""

from __future__ import annotations

import os
from pathlib import Path

from loopwm_ros.validation.burners import burning, cores


def children() -> set[int]:
    text = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return {int(word) for word in text.split()}


def test_they_run_as_nice_as_asked_and_then_end() -> None:
    before = children()
    with burning(2, nice=0):
        started = children() - before
        assert len(started) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


def test_cores_are_those_we_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
