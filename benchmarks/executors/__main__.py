"""Which of rclpy's executors serves a control timer best, messages polled or called back for.

python -m benchmarks.executors [--seconds 20] [--stress] [--json FILE]

A node with a control timer of 50 Hz reads joint states at 120 Hz and pictures of 640x480 at 30 Hz that
another process publishes, while a thread of its own computes for a third of the time, as mpc's does. Each
executor serves it twice: reading its topics in a timer of 200 Hz, as our nodes do, and called back for each
message.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rclpy.executors import Executor, MultiThreadedExecutor, SingleThreadedExecutor
from rich.console import Console
from rich.table import Table

from benchmarks.executors.reader import CONTROL, Reader, planning, spin
from benchmarks.executors.source import ARM
from loopwm_ros.bench.machine import cpu_name
from loopwm_ros.bench.saving import save
from loopwm_ros.config import load_arm
from loopwm_ros.nodes import processes
from loopwm_ros.nodes.joined_graph import joined_graph
from loopwm_ros.nodes.processes import Child
from loopwm_ros.nodes.spin import SWITCH_INTERVAL, new_executor, settle
from loopwm_ros.validation.burners import burning, cores
from loopwm_ros.validation.statistics import Record, Spread, spread
from loopwm_ros.validation.versions import versions

SETTLING, PATIENCE = 1.0, 20.0  # [s]
ROUNDS = 4  # in which all take turns, so that a slow moment of the machine hits all alike


def executors() -> dict[str, Callable[[], Executor]]:
    """Those that this rclpy has."""
    found: dict[str, Callable[[], Executor]] = {
        "single-threaded": SingleThreadedExecutor,
        "multi-threaded, 2": lambda: MultiThreadedExecutor(num_threads=2),
    }
    ours = new_executor()
    ours.shutdown()
    return found if isinstance(ours, SingleThreadedExecutor) else {"events": new_executor, **found}


def how(polled: bool) -> str:
    """Messages come to the node, in words."""
    return "polled" if polled else "called back"


class Row(Record):
    """One executor, one way to read."""

    executor: str
    polled: bool
    served: int  # intervals between two calls of the control timer
    off_ms: Spread  # by which intervals differ from its period
    joints: float  # a second that the computing thread got
    cores: float  # mean share of one processor core, all threads, what computing takes included


class ExecutorBench(Record):
    """All of them, one after the other."""

    cpu: str
    versions: dict[str, str]
    seconds: float  # of each
    stress: bool  # a busy process for every core competed
    rows: tuple[Row, ...]


@dataclass
class Case:
    """One executor, one way to read, and what was seen of it so far."""

    name: str
    make: Callable[[], Executor]
    polled: bool
    off: list[float] = field(default_factory=list)  # [ms]
    joints: int = 0
    spent: float = 0.0  # [s]

    def measure(self, source: Child, seconds: float) -> None:
        """Serve a new node for so long, in this process, which has joined the graph.

        Raises:
            ProcessError: `source`, which publishes, has ended, or nothing came.
        """
        with ExitStack() as stack:
            reader, executor = Reader(load_arm(ARM), self.polled), self.make()
            executor.add_node(reader)
            stack.callback(reader.destroy_node)
            stack.callback(executor.shutdown)
            end = time.perf_counter() + PATIENCE
            while not reader.inbox.take().joints:
                processes.check_alive([source])
                if time.perf_counter() > end:
                    raise processes.ProcessError(f"no joint states came within {PATIENCE:g} s")
                spin(executor, 0.1)
            settle()
            taken = stack.enter_context(planning(reader.inbox))
            spin(executor, SETTLING)
            reader.served.clear()
            rounds, began = len(taken), time.process_time()
            spin(executor, seconds)
            self.spent += time.process_time() - began
            self.joints += sum(taken[rounds:])
        self.off += [float(value) for value in np.abs(np.diff(reader.served) - CONTROL) * 1e3]

    def row(self, seconds: float) -> Row:
        """Of all rounds."""
        return Row(
            executor=self.name,
            polled=self.polled,
            served=len(self.off),
            off_ms=spread(self.off),
            joints=round(self.joints / seconds, 1),
            cores=round(self.spent / seconds, 3),
        )


def shown(bench: ExecutorBench) -> Table:
    """As a table."""
    table = Table(title=f"control timer of {1 / CONTROL:g} Hz, {bench.seconds:g} s each, {bench.cpu}")
    for name in ("executor", "messages", "served", "off by p50 [ms]", "p99", "max", "joints/s", "cores"):
        table.add_column(name, justify="left" if name in ("executor", "messages") else "right")
    for row in bench.rows:
        off = row.off_ms.p50, row.off_ms.p99, row.off_ms.max
        numbers = (
            str(row.served),
            *(f"{value:.2f}" for value in off),
            f"{row.joints:.1f}",
            f"{row.cores:.2f}",
        )
        table.add_row(row.executor, how(row.polled), *numbers)
    return table


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="for which each is looked at")
    parser.add_argument("--stress", action="store_true", help="let a busy process compete for every core")
    parser.add_argument("--json", type=Path, help="write all of it here")
    options = parser.parse_args()
    console = Console()
    sys.setswitchinterval(SWITCH_INTERVAL)  # as our nodes do
    with ExitStack() as stack:
        folder, variables = stack.enter_context(joined_graph())
        stack.enter_context(burning(cores(), nice=0) if options.stress else nullcontext())
        source = processes.start("source", {}, variables, folder, module=("benchmarks.executors.source",))
        stack.callback(processes.stop, [source])
        cases = [Case(name, make, polled) for name, make in executors().items() for polled in (True, False)]
        for case in cases * ROUNDS:
            with console.status(f"{case.name}, {how(case.polled)}"):
                case.measure(source, options.seconds / ROUNDS)
    bench = ExecutorBench(
        cpu=cpu_name(),
        versions=versions(),
        seconds=options.seconds,
        stress=options.stress,
        rows=tuple(case.row(options.seconds) for case in cases),
    )
    console.print(shown(bench))
    save(bench, options.json, console)


if __name__ == "__main__":
    main()
