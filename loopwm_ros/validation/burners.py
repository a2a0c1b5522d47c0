"""Processes that compete for the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_BURN = """
import os, sys
parent, niceness = map(int, sys.argv[1:])
os.nice(niceness)
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def burning(processes: int, nice: int) -> Iterator[None]:
    """Keep that many processes busy, at this niceness above our own; they end with this process, too."""
    command = [sys.executable, "-c", _BURN, str(os.getpid()), str(nice)]
    with ExitStack() as stack:
        for _ in range(processes):
            burner = stack.enter_context(subprocess.Popen(command))  # noqa: S603
            stack.callback(burner.kill)
        yield
