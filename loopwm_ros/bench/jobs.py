"""Things to time, in turns: a slow moment of the machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from loopwm_ros.bench.results import Times


@dataclass
class Job:
    """One thing to time; `prepare` is called before each sample and `after` behind it, off the clock."""

    name: str
    call: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def sample(self) -> None:
        """Time it once."""
        self.prepare()
        began, cpu_began = time.perf_counter(), time.thread_time()
        self.call()
        cpu_ended, ended = time.thread_time(), time.perf_counter()
        self.seconds.append(ended - began)
        self.cpu_seconds.append(cpu_ended - cpu_began)
        self.after()

    def forget(self) -> None:
        """Drop what was timed so far, as warming up."""
        self.seconds.clear()
        self.cpu_seconds.clear()

    @property
    def times(self) -> Times:
        """Of all samples."""
        milliseconds = np.asarray(self.seconds) * 1e3
        p50, p99, p999 = np.quantile(milliseconds, (0.5, 0.99, 0.999)).tolist()
        return Times(
            samples=len(milliseconds),
            median_ms=p50,
            p99_ms=p99,
            p999_ms=p999,
            cpu_ms=float(np.median(self.cpu_seconds)) * 1e3,
        )


def take_turns(jobs: Iterable[Job], rounds: int, on_round: Callable[[], None]) -> None:
    """Time each once a round, each round beginning with another one."""
    every = list(jobs)
    for number in range(rounds):
        first = number % len(every)
        for job in every[first:] + every[:first]:
            job.sample()
        on_round()
