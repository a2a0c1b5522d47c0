"""Real-time scheduling: asked for in so many words, refused in so many words."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes import scheduling

SHOW = """
import os, sys, threading
from loopwm_ros.nodes.scheduling import keep_time
keep_time(sys.argv[1])
thread = threading.Thread(target=lambda: print(os.sched_getscheduler(0), os.sched_getparam(0).sched_priority))
thread.start()
thread.join()
print(next(line for line in open("/proc/self/status") if line.startswith("VmLck")).split()[1])
"""


@pytest.mark.parametrize("text", ["", "0"])
def test_without_a_priority_nothing_changes(text: str) -> None:
    before = os.sched_getscheduler(0)
    scheduling.keep_time(text)
    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize("text", ["99", "-1", "high", "1.5"])
def test_what_is_no_priority_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=f"realtime_priority is '{text}'; expected a whole number"):
        scheduling.keep_time(text)


def test_what_is_not_permitted_says_what_would_permit_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(ConfigError, match="not permitted: write '@realtime - rtprio 98' into /etc/security"):
        scheduling.keep_time("20")


def test_threads_that_start_later_have_it_and_memory_is_locked() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW, "20"], capture_output=True, text=True, check=False)
    if "not permitted" in done.stderr or "cannot be locked" in done.stderr:
        pytest.skip("this user may not schedule in real time")
    policy, priority, locked = done.stdout.split()
    assert (int(policy), int(priority)) == (os.SCHED_FIFO, 20)
    assert int(locked) > 1000, "[kB]"


@pytest.mark.parametrize(("mpc", "cell"), [(0, 0), (1, 1), (40, 39)])
def test_what_plays_the_arm_is_just_below_mpc(mpc: int, cell: int) -> None:
    assert scheduling.of_the_cell(mpc) == cell
