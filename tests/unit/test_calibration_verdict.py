"""Good, usable or redo, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.lookers import PoseLooker, TrackLooker
from loopwm_ros.calibration.time_offset import FEWEST, UNSURE, TimeOffset
from loopwm_ros.calibration.verdict import HAND_EYE, LENS, TIME, Limit, judge_time, judged, verdict
from loopwm_ros.config import load_arm
from loopwm_ros.config.calibration import BoardSettings
from tests.calibrations import SMALL


@pytest.mark.parametrize(
    ("value", "grade"), [(0.1, "good"), (0.3, "good"), (0.31, "usable"), (1.0, "usable"), (1.01, "redo")]
)
def test_a_value_is_graded_by_its_limits(value: float, grade: str) -> None:
    assert judged(value, Limit("RMS", "px", "at most", 0.3, 1.0, "look")).grade == grade
    assert judged(-value, Limit("views", "", "at least", -0.3, -1.0, "more")).grade == grade


def test_the_worst_finding_decides_and_comes_first() -> None:
    limits = [Limit(name, "px", "at most", 2.0, 3.0, f"mend {name}") for name in "abc"]
    assert verdict([1.0, 2.0, 0.0], limits).grade == "good"
    assert verdict([1.0, 2.5, 0.0], limits).grade == "usable"
    made = verdict([2.5, 1.0, 4.0], limits)
    assert made.grade == "redo"
    words = [reason.words for reason in made.reasons]
    assert words == ["c: 4 px, at most 3 px", "a: 2.5 px, at most 2 px"]


def test_the_page_has_all_thresholds(repository: Path) -> None:
    page = (repository / "docs/calibration.md").read_text(encoding="utf-8")
    steps = (("lens", LENS), ("hand-eye", HAND_EYE), ("time", TIME))
    rows = [
        f"| {step} | {limit.what}{f' [{limit.unit}]' if limit.unit else ''} | {limit.kind} {limit.good:g} "
        f"| {limit.kind} {limit.usable:g} |"
        for step, limits in steps
        for limit in limits
    ]
    assert "\n".join(rows) in page


def test_a_time_offset_that_is_not_sure_is_not_good() -> None:
    sure = TimeOffset(offset=0.02, std=2e-4, rms=0.4, frames=90)
    assert judge_time(sure).grade == "good"
    unsure = TimeOffset(offset=0.02, std=2e-3, rms=0.4, frames=90)
    assert [finding.what for finding in judge_time(unsure).reasons] == ["time offset, 1-sigma"]


def test_what_is_no_result_at_all_is_not_called_usable() -> None:
    offset, _, pictures = TIME
    assert (offset.usable, pictures.usable) == (1e3 * UNSURE, FEWEST)


def test_the_guide_asks_for_what_is_called_good() -> None:
    good = {limit.what: limit.good for limit in (*HAND_EYE, *TIME)}
    board = Board(BoardSettings())
    poses = PoseLooker(board, load_arm("panda"), SMALL).progress().hint
    assert poses.startswith(f"{good['poses']} more poses")
    assert TrackLooker(board, SMALL).progress().hint.startswith(f"{good['pictures']} more pictures")
