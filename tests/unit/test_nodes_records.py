"""What the mpc node counts and writes, and what the supervisor makes of it."""

from __future__ import annotations

import errno
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from loopwm_ros.control.receding_horizon import PlanReport
from loopwm_ros.nodes.cycle_record import CycleRecord
from loopwm_ros.nodes.episode_report import EpisodeReport
from loopwm_ros.nodes.json_lines import JsonLines, LineWriter
from loopwm_ros.types import Encoding, Plan
from loopwm_ros.validation.summary import Measurements
from loopwm_ros.validation.trace import Frame

POINTS = {"tool": [0, 1, 2], "cube": [3, 4, 5]}


def plan(slot: float) -> PlanReport:
    loops = np.array([0, 3, 1])
    imagined = np.arange(12, dtype=np.float32).reshape(2, 6)
    made = Plan(np.zeros((8, 3), np.float32), 0.5, 64, 2, loops, imagined)
    seen = Encoding(np.zeros((4, 64), np.float32), imagined[0] + 20, np.zeros(6, np.float32))
    return PlanReport(slot, 0.15, 0.012, made, np.array([0.5, 0.0, 0.03]), seen)


def test_each_kind_of_miss_counts(tmp_path: Path) -> None:
    record = CycleRecord(POINTS, "cube", [0.2, 0.4], tmp_path / "t.jsonl")
    record.cycle(1.0, late=False, held=False, skipped=0)
    assert record.misses == 0
    record.cycle(1.05, late=True, held=False, skipped=0)
    record.cycle(1.1, late=False, held=True, skipped=0)
    record.cycle(1.25, late=True, held=True, skipped=2)
    record.plan(plan(1.0), 12.0, late=False)
    record.plan(plan(1.1), 130.0, late=True)
    assert (record.cycles, record.misses) == (6, 6)
    values = record.values()
    record.close()
    assert values["deadline_misses"] == "6"
    assert json.loads(values["loops_histogram"]) == {"1": 6, "2": 2}
    assert float(values["cycle_ms_max"]) == pytest.approx(130.0)


def test_an_episode_is_read_back_from_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    record = CycleRecord(POINTS, "cube", [0.2, 0.4], path)
    lines = JsonLines(path)
    measured = Measurements()
    report = EpisodeReport(0.1, measured)
    record.cycle(1.0, late=False, held=False, skipped=0)
    record.plan(plan(1.0), 12.0, late=False)
    record.cycle(1.05, late=False, held=True, skipped=1)
    record.close()
    for line in lines.new():
        report.mpc(line)
    assert lines.new() == []
    running = report.progress(4)
    assert (running.episode, running.distance, running.deadline_misses) == (4, None, 2)
    assert (running.cycle_ms.tolist(), running.loops.tolist()) == ([12.0], [1.25])
    for stamp, wall in ((1.0, 70.0), (1.1, 70.1), (1.2, 70.25)):
        truth = {"distance": 0.2, "tool": [0.1, 0.2, 0.3], "points": {"cube": [0.4, 0.5, 0.6]}}
        report.score({"stamp": stamp, **truth}, wall)
    assert report.outcome is None
    assert report.progress(4).distance == 0.2
    result = {"success": True, "time": 2.5, "final_distance": 0.01, "min_distance": 0.0}
    result |= {"precise_time": 3.5, "disturbance": "object_moved", "disturbed_at": 1.5}
    report.score({"episode": 4, "seed": 9, **result}, 70.3)
    run = report.finish([Frame(1.0, b"jpeg")])
    assert (run.result.index, run.result.seed, run.result.time_to_success_s) == (4, 9, 2.5)
    assert (run.result.cycles, run.result.plans, run.result.deadline_misses) == (3, 1, 2)
    assert measured.real_time_factor == pytest.approx(0.2 / 0.25)
    assert measured.cycle_ms == [12.0]
    assert measured.delay_ms == pytest.approx([150.0])
    assert measured.loops.tolist() == [0, 3, 1]
    (imagined,) = run.trace.imagined
    assert imagined.stamp == pytest.approx(1.1)
    assert imagined.path.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert imagined.moved.tolist() == [[3, 4, 5], [9, 10, 11]]
    assert run.trace.readings["cube"].stamps == pytest.approx([1.1 - 0.15]), "when the image was captured"
    assert run.trace.readings["cube"].values.tolist() == [[23, 24, 25]]
    assert run.trace.points["cube"].values.tolist() == [[0.4, 0.5, 0.6]] * 3
    assert (run.result.precise_time_s, run.result.disturbance) == (3.5, "object_moved")
    assert run.result.disturbed_at_s == 1.5
    assert run.trace.misses.tolist() == [1.05]


def test_a_line_that_is_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = JsonLines(path)
    assert lines.new() == []
    path.write_text('{"a": 1}\n{"b"')
    assert lines.new() == [{"a": 1}]
    with path.open("a") as file:
        file.write(": 2}\n")
    assert lines.new() == [{"b": 2}]


class Stuck:
    """A file on a disk that hesitates, then has no room."""

    name = "trace.jsonl"

    def __init__(self) -> None:
        self.go = threading.Event()

    def write(self, _: str) -> None:
        self.go.wait()
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_hesitates_or_is_full_keeps_no_cycle_waiting(tmp_path: Path) -> None:
    record = CycleRecord(POINTS, "cube", [0.2, 0.4], tmp_path / "t.jsonl")
    record._writer._file.close()
    record._writer._file = stuck = Stuck()
    record.cycle(1.0, late=False, held=False, skipped=0)
    record.plan(plan(1.0), 12.0, late=False)
    assert (record.cycles, record.values()["trace_problem"]) == (1, "")
    stuck.go.set()
    record.flush()
    assert (
        record.values()["trace_problem"] == "cannot write trace.jsonl: No space left on device; 2 lines wait"
    )
    record.close()


class Full:
    """A file with room for so many bytes."""

    name = "trace.jsonl"

    def __init__(self) -> None:
        self.room, self.text = 0, b""

    def write(self, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = data[: self.room]
        self.room -= len(taken)
        self.text += taken
        return len(taken)

    def close(self) -> None:
        pass


def test_lines_that_a_full_disk_did_not_take_are_written_once_there_is_room(tmp_path: Path) -> None:
    writer = LineWriter(tmp_path / "t.jsonl")
    writer._file.close()
    writer._file = full = Full()
    writer.put({"a": 1})
    writer.flush()
    assert "1 lines wait" in writer.problem
    full.room = 5  # ends within a line
    writer.put({"b": 2})
    writer.flush()
    assert "2 lines wait" in writer.problem
    full.room = 1000
    writer.put({"c": 3})
    writer.flush()
    assert writer.problem == ""
    writer.close()
    assert full.text == b'{"a": 1}\n{"b": 2}\n{"c": 3}\n'


def test_an_episode_begins_with_its_first_score_and_says_what_held_the_arm_back() -> None:
    report = EpisodeReport(0.1, Measurements())
    truth = {"distance": 0.2, "tool": [0.1, 0.2, 0.3], "points": {}}
    report.score({"stamp": 1.0, **truth}, 70.0)
    result = {"success": False, "time": 9.0, "final_distance": 0.2, "min_distance": 0.2, "precise_time": None}
    report.score({"episode": 0, "seed": 9, **result}, 79.0)
    report.held_back(["workspace", "no fresh plan", "workspace"])
    trace = report.finish([Frame(0.9, b"before it began"), Frame(1.0, b"jpeg")]).trace
    assert [frame.jpeg for frame in trace.frames] == [b"jpeg"]
    assert trace.start == 1.0
    assert trace.held_back == {"workspace": 1.0, "no fresh plan": 0.5}
