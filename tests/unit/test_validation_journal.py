"""What a validation has done so far."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopwm_ros.errors import ConfigError
from loopwm_ros.validation.journal import EpisodeRecord, Identity, Journal, record
from loopwm_ros.validation.measured_motion import Extremes
from loopwm_ros.validation.summary import NOWHERE, Measurements
from loopwm_ros.validation.trace import EpisodeRun
from tests import episodes as samples

ME = Identity(bundle_sha256="b", arm_sha256="a", task_sha256="t", suite_sha256="s", git_revision="0" * 40)


def made(part: str, index: int) -> EpisodeRecord:
    return EpisodeRecord(part=part, result=samples.result(index))


def test_it_goes_on_where_it_was_ended(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "episodes.jsonl"
    first = Journal(path, ME)
    first.add(made("nominal", 0))
    first.add(made("nominal", 2))
    first.add(made("load", 0))
    again = Journal(path, ME)
    assert again.records == first.records
    assert (again.done("nominal"), again.done("load"), again.done("other")) == ({0, 2}, {0}, set())


@pytest.mark.parametrize("kept", [1, 30, -1, -40])
def test_a_line_that_was_cut_short_is_run_again(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "episodes.jsonl"
    for index in range(3):
        Journal(path, ME).add(made("nominal", index))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:kept])
    again = Journal(path, ME)
    assert again.done("nominal") == {0, 1}
    again.add(made("nominal", 2))
    assert path.read_bytes() == b"".join(lines)


def test_a_header_that_was_cut_short_is_none(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    path.write_text('{"bundle_sha')
    Journal(path, ME).add(made("nominal", 0))
    assert Journal(path, ME).done("nominal") == {0}


def test_another_validation_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    Journal(path, ME).add(made("nominal", 0))
    other = ME.model_copy(update={"bundle_sha256": "c", "suite_sha256": "z"})
    with pytest.raises(ConfigError, match="another bundle_sha256, suite_sha256; choose another --out"):
        Journal(path, other)
    assert Journal(path, ME).done("nominal") == {0}, "and nothing is lost"


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    Journal(path, ME).add(made("nominal", 0))
    path.write_bytes(path.read_bytes() + b"\xff{}\n")
    with pytest.raises(ConfigError, match="is damaged"):
        Journal(path, ME)


def test_all_that_is_measured_is_kept() -> None:
    measured = Measurements()
    measured.add_gap("tool", 3, 0.0123456)
    measured.add_gap("tool", 3, float("inf"))
    measured.add_gate(())
    measured.add_gate(("velocity", "workspace"))
    measured.add_contact(12.3456789, 0.0)
    measured.add_contact(0.0, 0.0)
    measured.add_time(4.0, 5.0)
    run = EpisodeRun(samples.result(0), samples.trace(0), Extremes(velocity=0.5))
    kept = EpisodeRecord.model_validate_json(record("nominal", run, measured).model_dump_json())
    assert kept.gaps == {"tool": {3: (0.01235, NOWHERE)}}
    assert (kept.gate_periods, kept.altered_periods) == (2, 1)
    assert kept.altered == {"velocity": 1, "workspace": 1}
    assert (kept.thing_forces, kept.table_forces) == ((12.34568,), ())
    assert (kept.simulated_s, kept.wall_s) == (4.0, 5.0)
    assert kept.motion == Extremes(velocity=0.5)
