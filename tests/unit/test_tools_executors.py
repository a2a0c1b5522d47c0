"""The section of docs/results.md on executors."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.executors.__main__ import ExecutorBench, Row
from loopwm_ros.validation.statistics import spread

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import executors_section

    return executors_section


def test_nothing_measured_is_no_section(section: ModuleType, tmp_path: Path) -> None:
    assert section.executors(tmp_path) == []


def test_every_row_is_shown_with_the_command_that_made_it(section: ModuleType, tmp_path: Path) -> None:
    off = spread([0.25, 0.25])
    rows = tuple(
        Row(executor="events", polled=polled, served=998, off_ms=off, joints=119.0, cores=0.34)
        for polled in (True, False)
    )
    bench = ExecutorBench(cpu="a CPU", versions={}, seconds=20.0, stress=True, rows=rows)
    file = tmp_path / section.FILES.replace("*", "-stress")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(bench.model_dump()))
    shown = section.executors(tmp_path)
    assert "| events | polled | one on every core | 998 | 0.25 | 0.25 | 0.25 | 34% |" in shown
    assert sum("| events |" in line for line in shown) == 2
    assert shown[-2].endswith(f"--seconds 20 --stress --json {file.relative_to(tmp_path)}")
