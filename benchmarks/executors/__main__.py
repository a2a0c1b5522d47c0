"""Which of rclpy's executors serves a control timer best, messages polled or called back for.

python -m benchmarks.executors [--seconds 20] [--stress] [--json FILE]

A node with a control timer of 50 Hz reads joint states at 120 Hz and pictures of 640x480 at 30 Hz that
another process publishes, while a thread of its own computes for a third of the time, as mpc's does. Each
executor serves it twice: reading its topics in a timer of 200 Hz, as our nodes do, and called back for each
message.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from itertools import product
from pathlib import Path

import numpy as np
from rclpy.executors import Executor, MultiThreadedExecutor, SingleThreadedExecutor
from rich.console import Console
from rich.table import Table

from benchmarks.executors.reader import CONTROL, Reader, planning, spin
from benchmarks.executors.source import ARM
from loopwm_ros.bench.machine import cpu_name
from loopwm_ros.config import load_arm
from loopwm_ros.nodes import processes
from loopwm_ros.nodes.joined_graph import joined_graph
from loopwm_ros.nodes.spin import new_executor, settle
from loopwm_ros.validation.burners import burning, cores
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.statistics import Record, Spread, spread
from loopwm_ros.validation.versions import versions

EXECUTORS: Mapping[str, Callable[[], Executor]] = {
    "events": new_executor,
    "single-threaded": SingleThreadedExecutor,
    "multi-threaded, 2": lambda: MultiThreadedExecutor(num_threads=2),
}
SETTLING, PATIENCE = 1.0, 20.0  # [s]


class Row(Record):
    """One executor, one way to read."""

    executor: str
    polled: bool
    served: int  # times that the control timer was
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


def measure(name: str, polled: bool, seconds: float) -> Row:
    """One of them, in this process, which has joined the graph."""
    with ExitStack() as stack:
        reader, executor = Reader(load_arm(ARM), polled), EXECUTORS[name]()
        executor.add_node(reader)
        stack.callback(reader.destroy_node)
        stack.callback(executor.shutdown)
        end = time.perf_counter() + PATIENCE
        while not reader.inbox.take().joints:
            if time.perf_counter() > end:
                raise SystemExit("no joint states came")
            spin(executor, 0.1)
        settle()
        taken = stack.enter_context(planning(reader.inbox))
        spin(executor, SETTLING)
        reader.served.clear()
        rounds, began = len(taken), time.process_time()
        spin(executor, seconds)
        spent, got = time.process_time() - began, taken[rounds:]
    off = np.abs(np.diff(reader.served) - CONTROL) * 1e3
    return Row(
        executor=name,
        polled=polled,
        served=len(reader.served),
        off_ms=spread([float(value) for value in off]),
        joints=round(sum(got) / seconds, 1),
        cores=round(spent / seconds, 3),
    )


def shown(bench: ExecutorBench) -> Table:
    """As a table."""
    table = Table(title=f"control timer of {1 / CONTROL:g} Hz, {bench.seconds:g} s each, {bench.cpu}")
    for name in ("executor", "messages", "served", "off by p50 [ms]", "p99", "max", "joints/s", "cores"):
        table.add_column(name, justify="left" if name in ("executor", "messages") else "right")
    for row in bench.rows:
        off = row.off_ms.p50, row.off_ms.p99, row.off_ms.max
        how = "polled" if row.polled else "called back"
        numbers = (
            str(row.served),
            *(f"{value:.2f}" for value in off),
            f"{row.joints:.1f}",
            f"{row.cores:.2f}",
        )
        table.add_row(row.executor, how, *numbers)
    return table


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="for which each is looked at")
    parser.add_argument("--stress", action="store_true", help="let a busy process compete for every core")
    parser.add_argument("--json", type=Path, help="write all of it here")
    options = parser.parse_args()
    console = Console()
    with ExitStack() as stack:
        folder, variables = stack.enter_context(joined_graph())
        stack.enter_context(burning(cores(), nice=0) if options.stress else nullcontext())
        source = processes.start("source", {}, variables, folder, module=("benchmarks.executors.source",))
        stack.callback(processes.stop, [source])
        rows = []
        for name, polled in product(EXECUTORS, (True, False)):
            with console.status(f"{name}, {'polled' if polled else 'called back'}"):
                rows.append(measure(name, polled, options.seconds))
    bench = ExecutorBench(
        cpu=cpu_name(),
        versions=versions(),
        seconds=options.seconds,
        stress=options.stress,
        rows=tuple(rows),
    )
    console.print(shown(bench))
    if options.json:
        console.print(
            f"result: {write_text_atomically(options.json, bench.model_dump_json(indent=1) + chr(10))}"
        )


if __name__ == "__main__":
    main()
