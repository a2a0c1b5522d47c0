"""Good, usable or redo, and why."""

from __future__ import annotations

import pytest

from loopwm_ros.calibration.time_offset import TimeOffset
from loopwm_ros.calibration.verdict import found, judge_time, verdict


@pytest.mark.parametrize(
    ("value", "grade"), [(0.1, "good"), (0.3, "good"), (0.31, "usable"), (1.0, "usable"), (1.01, "redo")]
)
def test_a_value_is_graded_by_its_limits(value: float, grade: str) -> None:
    assert found("RMS", value, "px", "at most", (0.3, 1.0), "look").grade == grade
    assert found("views", -value, "", "at least", (-0.3, -1.0), "more").grade == grade


def test_the_worst_finding_decides_and_comes_first() -> None:
    good = found("a", 1.0, "", "at most", (2.0, 3.0), "")
    usable = found("b", 2.5, "px", "at most", (2.0, 3.0), "do this")
    redo = found("c", 4.0, "px", "at most", (2.0, 3.0), "do that")
    assert verdict([good]).grade == "good"
    assert verdict([good, usable]).grade == "usable"
    made = verdict([usable, good, redo])
    assert made.grade == "redo"
    assert [reason.words for reason in made.reasons] == [
        "c is 4 px, at most 3 px",
        "b is 2.5 px, at most 2 px",
    ]


def test_a_time_offset_that_is_not_sure_is_not_good() -> None:
    sure = TimeOffset(offset=0.02, std=2e-4, rms=0.4, frames=90)
    assert judge_time(sure).grade == "good"
    unsure = TimeOffset(offset=0.02, std=2e-3, rms=0.4, frames=90)
    assert [finding.what for finding in judge_time(unsure).reasons] == ["time offset, 1-sigma"]
