"""The page of a validation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from loopwm_ros.validation.certificate import checked
from loopwm_ros.validation.failures import film_path, small_strip, strip_path
from loopwm_ros.validation.film import film
from loopwm_ros.validation.journal import EpisodeRecord
from loopwm_ros.validation.measured_motion import Extremes, FaultScore
from loopwm_ros.validation.suite import load_suite
from loopwm_ros.validation.validation_report import figure, write_validation_report
from tests import episodes as samples
from tests.certificates import certificate

OUTSIDE = re.compile(r"""(?:src|href)=["'](?!data:|#)""")


def episode(part: str, index: int = 0, success: bool = True, **changes: Any) -> EpisodeRecord:
    values: dict[str, Any] = {"part": part, "result": samples.result(index, success)}
    return EpisodeRecord(**(values | {"gate_periods": 100, "motion": Extremes()} | changes))


STOPPED = FaultScore(name="plans_stop", begins_s=1.0, stops=True, recovers=True, stopped_after_s=0.25)
RAN_ON = FaultScore(name="joints_jump", begins_s=1.0, stops=True, recovers=False, stopped_after_s=None)
RECORDS = [
    episode("nominal", thing_forces=(1.0, 3.0), altered={"velocity": 5}, altered_periods=5),
    episode("nominal", 1, success=False),
    episode("faults.plans_stop", fault=STOPPED),
    episode("faults.joints_jump", success=False, fault=RAN_ON),
]


@pytest.fixture
def page(tmp_path: Path) -> str:
    films, trace = tmp_path / "films", samples.trace(1, success=False)
    films.mkdir()
    strip_path(films, "nominal", trace.result.seed).write_bytes(small_strip(trace, samples.camera()))
    film_path(films, "nominal", trace.result.seed).write_bytes(film(trace, samples.camera()))
    failed = checked("faults.stop", "longest time to rest <s>", None, "at most", 0.4)
    made = certificate(passed=False, checks=(*certificate().checks, failed))
    out = write_validation_report(tmp_path / "v.html", made, load_suite("quick"), RECORDS, films)
    return out.read_text(encoding="utf-8")


def test_the_verdict_and_its_reasons_come_first(page: str) -> None:
    head = page.partition("</header>")[0]
    assert "<h1>Not passed</h1>" in head
    assert "1 of 2 checks were not passed" in head
    assert "longest time to rest &lt;s&gt; is not measured" in head
    assert "required at most 0.4" in head


def test_a_passed_one_says_so(tmp_path: Path) -> None:
    suite = load_suite("quick")
    text = write_validation_report(tmp_path / "v.html", certificate(), suite, [], tmp_path).read_text()
    assert "<h1>Passed</h1>" in text
    assert "Not passed" not in text


def test_it_needs_nothing_else(page: str) -> None:
    assert page.startswith("<!doctype html>")
    assert OUTSIDE.search(page) is None
    assert page.count("data:image/svg+xml") == 5, "success, gaps, forces, interventions, stops"


def test_failures_are_shown_as_films_but_not_those_of_latched_faults(page: str) -> None:
    failures = page.partition("<h2>Failures</h2>")[2]
    assert failures.count("<article") == 1
    assert failures.count("data:image/webp;base64,") == 2, "strip and film"


def test_the_table_of_faults_says_what_was_promised_and_what_came(page: str) -> None:
    table = page.partition("<h2>Faults</h2>")[2].partition("</section>")[0]
    stop, jump = (re.sub(r"\s+", " ", row) for row in table.split("<tr>")[2:])
    assert "plans stop" in stop
    assert "0.25 s" in stop
    assert "1 of 1" in stop
    assert "1 not at rest" in jump
    assert "no: latched" in jump


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0"), (0.012345, "0.0123"), (172.3, "172"), (12345.6, "12346")]
)
def test_figures_are_short(value: float | None, text: str) -> None:
    assert figure(value) == text
