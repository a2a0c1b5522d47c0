"""The section of docs/results.md on models in closed loop."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.closed_loop.conditions import Harness
from benchmarks.closed_loop.rows import EpisodeRow, Machine, row
from benchmarks.closed_loop.settings import Comparison
from benchmarks.closed_loop.summary import summarise
from loopwm_ros.config.base import load_settings
from loopwm_ros.validation.summary import Measurements
from tests import episodes as samples

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "benchmarks/closed_loop/push.yaml"


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import closed_loop_section

    return closed_loop_section


def write(root: Path, folder: str) -> None:
    """At 10 ms `early exit` succeeds in all of 10 episodes, `one loop` in 2; nothing else was run."""
    comparison = load_settings(EXAMPLE, Comparison).model_copy(update={"episodes": 10})
    harness, rows = Harness(EXAMPLE, comparison), list[EpisodeRow]()
    for model, successes in (("early exit", 10), ("one loop", 2)):
        sha256 = harness.conditions(comparison.regimes[0], model, 0).sha256
        measured = Measurements(searched_ms=[8.25], candidates=[12], refinements=[1])
        for index in range(10):
            result = samples.result(index, success=index < successes)
            rows.append(row("r", model, sha256, result, measured, "v"))
    summary = summarise(comparison, harness, Machine(cpu="c", python="3", onnxruntime="1"), rows)
    out = root / folder
    out.mkdir(parents=True)
    (out / "summary.json").write_text(summary.model_dump_json())
    (out / "success.svg").write_text("<svg/>")


def test_nothing_measured_nothing_said(section: ModuleType, tmp_path: Path) -> None:
    assert section.closed_loop(tmp_path) == []


def test_what_was_measured_is_shown(section: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, section.FOLDER)
    text = "\n".join(section.closed_loop(tmp_path))
    assert "![success against planning time](results/benchmarks/closed_loop/success.svg)" in text
    assert "### Cores after 3,000 steps of training" in text
    assert "Push, 1.6 s ahead:" in text
    assert "| time [ms] | model | within 5 cm | within 2 cm | median [ms] |" in text
    assert "| 10 | early exit | 100% (72 to 100) | 0% (0 to 28) | 8.2 | 8.2 | 12 | - | 0.0% |" in text
    assert "| 50 | one loop | - | - | - | - | - | - | - |" in text
    assert "Of 6 comparisons with *early exit* on the same episodes, 1 have p < 0.05" in text
    assert "| push, 1.6 s ahead, 10 ms | one loop | success | 0 : 8 | 0.0078 | no |" in text
    assert max(map(len, text.splitlines())) <= 125


def test_several_comparisons_stand_one_after_the_other(section: ModuleType, tmp_path: Path) -> None:
    for folder in (section.FOLDER, f"{section.FOLDER}_more"):
        write(tmp_path, folder)
    text = "\n".join(section.closed_loop(tmp_path))
    assert text.count("## Models in closed loop") == 1
    assert text.count("### Cores after 3,000 steps of training") == 1
    assert text.count("### early exit, one loop") == 1, "a folder that has no title of its own"
    assert text.index("closed_loop/success.svg") < text.index("closed_loop_more/success.svg")
