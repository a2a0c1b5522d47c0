"""The machine that a benchmark runs on, kept to one of its cores, and what that core can do."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import numpy as np

from loopwm_ros.bench.results import Machine
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.versions import versions

SIZE = 1024  # of the matrices
TRIES = 5


def keep_to_core(core: int | None) -> int:
    """Let this process, all its threads, run on one core alone; returns which. None: the last it may use.

    Raises:
        ConfigError: it may not use that core.
    """
    if not hasattr(os, "sched_setaffinity"):
        return core or 0
    allowed = os.sched_getaffinity(0)
    chosen = max(allowed) if core is None else core
    if chosen not in allowed:
        raise ConfigError(f"--core is {chosen}; this process may use {', '.join(map(str, sorted(allowed)))}")
    for thread in Path("/proc/self/task").iterdir():  # NumPy's have been there since it was imported
        os.sched_setaffinity(int(thread.name), {chosen})
    return chosen


def describe(cores: int, core: int | None = None) -> Machine:
    """This machine, its matrix product measured now."""
    return Machine(
        cpu=cpu_name(), cores=cores, core=core, peak_gflops=round(peak_gflops(), 1), versions=versions()
    )


def peak_gflops() -> float:
    """Of a product of two float32 matrices [1e9 operations a second], the best of several."""
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)
    best = np.inf
    for _ in range(TRIES):
        began = time.perf_counter()
        np.matmul(a, b, out=out)
        best = min(best, time.perf_counter() - began)
    return 2.0 * SIZE**3 / best / 1e9


def cpu_name() -> str:
    """Model name, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
