"""What nodes take of the machine, told from processes made for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from loopwm_ros.bench.usage import UsageWatch, Watched

BUSY = "print(flush=True)\nwhile True: pass"
IDLE = "import time; print(flush=True); time.sleep(60)"
GROWING = """
import sys, time
print(flush=True)
sys.stdin.read(1)
kept = bytearray(80_000_000)
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    with ExitStack() as stack:
        made = []
        for code in (BUSY, IDLE, GROWING):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            child = stack.enter_context(subprocess.Popen([sys.executable, "-c", code], **pipes))
            stack.callback(child.kill)
            assert child.stdout.readline() == b"\n", "it has started"
            made.append(child)
        yield made


def test_processor_time_and_memory_are_those_of_each_process(
    started: list[subprocess.Popen[bytes]],
) -> None:
    growing = started[2]
    watch = UsageWatch(0.05)
    with watch({name: child.pid for name, child in zip(("busy", "idle", "growing"), started, strict=True)}):
        time.sleep(0.5)
        growing.stdin.write(b"x")
        growing.stdin.flush()
        assert growing.stdout.readline() == b"\n"
        time.sleep(0.5)
    busy, idle, grown = watch.found
    assert [usage.node for usage in (busy, idle, grown)] == ["busy", "idle", "growing"]
    assert busy.cores > 0.1
    assert idle.cores < 0.05
    assert grown.rss_mb[-1] - grown.rss_mb[0] == pytest.approx(80, abs=5)
    assert idle.rss_mb[-1] - idle.rss_mb[0] == pytest.approx(0, abs=5)
    assert {usage.threads for usage in (busy, idle, grown)} == {1}
    assert busy.seconds == pytest.approx(1.0, abs=0.9)


def test_growth_is_told_from_the_later_half() -> None:
    watched = Watched(psutil.Process(os.getpid()))
    watched.stamps = [2.0 * at for at in range(100)]
    watched.rss = [50.0 + 5 * at for at in range(50)] + [300.0 + 0.002 * at for at in range(50)]
    watched.cpu = [0.5 * at for at in range(100)]
    usage = watched.usage("mpc")
    assert usage is not None
    assert usage.growth_mb_per_hour == pytest.approx(3.6)
    assert usage.cores == pytest.approx(0.25)
    assert len(usage.rss_mb) == 60
    assert (usage.rss_mb[0], usage.rss_mb[-1]) == (50.0, pytest.approx(300.1))
    watched.stamps = [0.1 * at for at in watched.stamps]
    assert watched.usage("mpc").growth_mb_per_hour is None, "five seconds are too few"


def test_a_process_that_has_ended_is_left_as_it_was() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    watched = Watched(psutil.Process(child.pid))
    child.wait()
    watched.look()
    assert watched.usage("mpc") is None
