"""The machine that a benchmark runs on, kept to one of its cores, and what that core can do."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from loopwm_ros.bench.results import Machine
from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.versions import versions

SIZE = 1024  # of the matrices
PRODUCT = f"""
import time
import numpy as np
a, b = np.random.default_rng(0).standard_normal((2, {SIZE}, {SIZE}), dtype=np.float32)
out, best = np.empty_like(a), float("inf")
for _ in range(5):
    began = time.perf_counter()
    np.matmul(a, b, out=out)
    best = min(best, time.perf_counter() - began)
print(best)
"""


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
    """Of a product of two float32 matrices in one thread [1e9 operations a second], the best of several.

    In a process of its own, on the same core: NumPy's library has made its threads when it is imported.
    """
    alone = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PRODUCT], env=alone, capture_output=True, text=True, check=True
    )
    return 2.0 * SIZE**3 / float(done.stdout) / 1e9


def cpu_name() -> str:
    """Model name, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
