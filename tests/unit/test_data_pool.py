from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loopwm_ros.data.pool import ordered_map

SCRIPT = """
import signal, sys, time
from pathlib import Path
from loopwm_ros.data.pool import ordered_map
def work(path):
    Path(path).touch()
    time.sleep(0.5)
    Path(path + ".done").touch()
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell job has it ignored
    for _ in ordered_map(work, [sys.argv[1] + "/" + str(i) for i in range(50)], 2): pass
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_items_order(workers: int) -> None:
    assert list(ordered_map(abs, [-3, 1, -2], workers)) == [3, 1, 2]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_reaches_the_caller(workers: int) -> None:
    with pytest.raises(TypeError):
        list(ordered_map(abs, [1, "x"], workers))


def started(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A pool at work in another process, in a process group of its own."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    work = tmp_path / "work"
    work.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script), str(work)],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: any(work.iterdir()))
    return process


def wait_until(condition) -> None:
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end, "did not happen within 30 s"
        time.sleep(0.02)


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_interrupt_finishes_what_was_begun_and_no_more(tmp_path: Path) -> None:
    process = started(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) != 0
    names = {file.name for file in (tmp_path / "work").iterdir()}
    begun = {name for name in names if not name.endswith(".done")}
    assert {f"{name}.done" for name in begun} == names - begun
    assert len(begun) < 50


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    process = started(tmp_path)
    process.kill()
    process.wait(30)
    wait_until(lambda: group_is_gone(process.pid))
