"""Memory and processor time of running nodes, looked at now and then while they work."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psutil

from loopwm_ros.bench.looking import looking
from loopwm_ros.bench.results import NodeUsage

MB = 1e6
KEPT = 60  # samples of memory in a result
LEAST = 60.0  # a growth is told from no less [s]: within seconds one allocation would be a leak
HOUR = 3600.0  # [s]


@dataclass
class Watched:
    """One node's process and what was seen of it."""

    process: psutil.Process
    stamps: list[float] = field(default_factory=list)  # [s]
    rss: list[float] = field(default_factory=list)  # [MB]
    cpu: list[float] = field(default_factory=list)  # of all its threads since its start [s]
    threads: int = 0

    def look(self) -> None:
        """Note what it takes now; a process that has ended is left as it was."""
        try:
            with self.process.oneshot():
                times, memory = self.process.cpu_times(), self.process.memory_info()
                self.threads = self.process.num_threads()
        except psutil.Error:
            return
        self.stamps.append(time.monotonic())
        self.rss.append(memory.rss / MB)
        self.cpu.append(times.user + times.system)

    def usage(self, node: str) -> NodeUsage | None:
        """Summed up; None where it was not seen twice."""
        if len(self.stamps) < 2:
            return None
        seconds = self.stamps[-1] - self.stamps[0]
        kept = np.linspace(0, len(self.rss) - 1, min(KEPT, len(self.rss))).round().astype(int)
        return NodeUsage(
            node=node,
            seconds=round(seconds, 1),
            cores=round((self.cpu[-1] - self.cpu[0]) / seconds, 4),
            rss_mb=tuple(round(self.rss[at], 2) for at in kept),
            growth_mb_per_hour=self._growth(),
            threads=self.threads,
        )

    def _growth(self) -> float | None:
        """Slope of a least-squares line through the later half, where caches and pools have filled up."""
        half = len(self.stamps) // 2
        if self.stamps[-1] - self.stamps[half] < LEAST:
            return None
        slope, _ = np.polyfit(np.subtract(self.stamps[half:], self.stamps[half]), self.rss[half:], 1)
        return round(float(slope) * HOUR, 2)


class UsageWatch:
    """Looks at processes every `period` [s], in a thread of its own, while its context is entered.

    Attributes:
        found: what was seen, once the context is left.
    """

    def __init__(self, period: float) -> None:
        self.found: tuple[NodeUsage, ...] = ()
        self._period = period

    @contextmanager
    def __call__(self, nodes: Mapping[str, int]) -> Iterator[None]:
        """Look at these: process ids by node."""
        watched = {name: Watched(psutil.Process(pid)) for name, pid in nodes.items()}

        def look_at_all() -> None:
            for one in watched.values():
                one.look()

        look_at_all()
        with looking(look_at_all, self._period, "usage"):
            yield
        usages = (one.usage(name) for name, one in watched.items())
        self.found = tuple(usage for usage in usages if usage is not None)
