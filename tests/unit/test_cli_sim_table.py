"""What `loopwm sim` shows while it runs and when it is done."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from loopwm_ros.cli.sim_table import RunTable, print_summary
from loopwm_ros.validation.summary import Measurements, summarise
from loopwm_ros.validation.trace import TraceRecorder
from tests import episodes as samples


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def text(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def cells(shown: Console) -> list[list[str]]:
    """The last state of the table, without its heading."""
    lines = [line for line in text(shown).splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_running_and_finished_rows_are_each_of_one_episode() -> None:
    shown = console()
    table = RunTable(shown, "reach")
    running = TraceRecorder(model_period=0.1)
    running.cycle(9.0, 50.0, 2.0)
    running.cycle(9.1, 70.0, 4.0)
    with table.shown():
        table.present(running.progress(0, 0.4))
        table.finished(samples.trace(0))
        table.finished(samples.trace(1, success=False))
        table.present(running.progress(2, 0.123, deadline_misses=3))
    assert cells(shown) == [
        ["1", "success in 2.0 s", "1.0 cm", "3.00", "30.0 / 39.8 ms", "0"],
        ["2", "failed", "20.0 cm", "3.00", "30.0 / 39.8 ms", "0"],
        ["3", "…", "12.3 cm", "3.00", "60.0 / 69.8 ms", "3"],
    ]


def test_what_was_not_measured_is_a_dash() -> None:
    shown = console()
    table = RunTable(shown, "reach")
    with table.shown():
        table.present(TraceRecorder(model_period=0.1).progress(0, None))
    assert cells(shown) == [["1", "…", "-", "-", "-", "0"]]


def test_the_summary_is_printed_in_words() -> None:
    shown = console()
    print_summary(shown, samples.summary([samples.result(0), samples.result(1, success=False)]))
    assert "1 of 2 episodes succeeded (95 % interval 9% to 91%), median 2.0 s" in text(shown)
    assert "cycle 29.5 ms (p99 38.8, max 39.0)" in text(shown)
    assert "0 deadline misses in 20 control periods, 10 plans, 2.30 loops a transition" in text(shown)
    assert "warning" not in text(shown)


def test_a_disturbance_that_left_nothing_to_do_is_told_apart() -> None:
    shown, nudged = console(), {"disturbance": "camera_nudged", "disturbed_at_s": 1.5}
    episodes = [samples.result(0).model_copy(update=nudged), samples.result(1, success=False)]
    print_summary(shown, samples.summary(episodes, disturb="camera_nudged"))
    assert "camera_nudged: 1 of 1 recovered, median 0.5 s, 1 in place already" in text(shown)


@pytest.mark.parametrize(("wall", "warned"), [(10.1, False), (12.5, True)])
def test_a_run_slower_than_real_time_is_warned_of(wall: float, warned: bool) -> None:
    shown, measured = console(), Measurements(loops=np.array([0, 1]))
    measured.add_time(simulated=10.0, wall=wall)
    print_summary(shown, summarise(samples.facts(mode="realtime"), [samples.result()], measured))
    assert ("warning: the simulation ran at 0.80 of real time" in text(shown)) == warned
