"""What `loopwm sim` shows while it runs and when it is done."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from loopwm_ros.cli.sim_table import print_summary
from loopwm_ros.validation.summary import Measurements, summarise
from tests import episodes as samples


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def text(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_the_summary_is_printed_in_words() -> None:
    shown = console()
    print_summary(shown, samples.summary([samples.result(0), samples.result(1, success=False)]))
    assert "1 of 2 episodes succeeded (95 % interval 9% to 91%), median 2.0 s" in text(shown)
    assert "cycle 29.5 ms (p99 38.8, max 39.0)" in text(shown)
    assert "0 deadline misses in 20 control periods, 10 plans, 2.30 loops a transition" in text(shown)
    assert "warning" not in text(shown)


@pytest.mark.parametrize(("wall", "warned"), [(10.1, False), (12.5, True)])
def test_a_run_slower_than_real_time_is_warned_of(wall: float, warned: bool) -> None:
    shown, measured = console(), Measurements(loops=np.array([0, 1]))
    measured.add_time(simulated=10.0, wall=wall)
    print_summary(shown, summarise(samples.facts(mode="realtime"), [samples.result()], measured))
    assert ("warning: the simulation ran at 0.80 of real time" in text(shown)) == warned
