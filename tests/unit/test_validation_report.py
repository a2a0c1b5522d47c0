"""The HTML report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from loopwm_ros.validation.report import FAILURES_SHOWN, FIRST_SHOWN, grade, shown, verdict, write_report
from loopwm_ros.validation.summary import Measurements, summarise
from loopwm_ros.validation.trace import Trace, TraceRecorder
from tests import episodes as samples

VOID = {"meta", "img", "input", "br", "hr", "link"}


class Outline(HTMLParser):
    """Checks nesting and collects ids, links, image sources and table rows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.urls: list[str] = []
        self.rows = 0
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.rows += tag == "tr"
        for key, value in attrs:
            if key == "id":
                self.ids.append(value)
            if key in ("src", "href"):
                self.urls.append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report(folder: Path, traces: list[Trace], **changes: object) -> str:
    summary = samples.summary([trace.result for trace in traces], **changes)
    return write_report(folder, summary, traces, samples.camera()).read_text()


def test_report_has_every_episode_and_needs_nothing_else(tmp_path: Path) -> None:
    html = report(tmp_path, [samples.trace(0), samples.trace(1, success=False)], bundle_sha256="ab" * 32)
    outline = Outline(html)
    assert outline.rows == 1 + 2
    assert {"episode-0", "episode-1", "film-0", "film-1"} <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))
    assert all(url.startswith(("data:image/", "#")) for url in outline.urls)
    assert not re.search(r"(src|href)=\"https?:|@import|url\(", html)
    assert "ab" * 32 in html
    assert "Solved 1 of 2 episodes" in html


def test_films_carry_readable_data(tmp_path: Path) -> None:
    html = report(tmp_path, [samples.trace(3)])
    (raw,) = re.findall(r'<script type="application/json" id="film-3">(.*?)</script>', html, re.S)
    assert len(json.loads(raw)["frames"]) == 21


def test_all_text_is_escaped(tmp_path: Path) -> None:
    attack = "<script>alert('x')</script>"
    html = report(
        tmp_path, [samples.trace()], task=attack, arm=attack, controller=attack, versions={attack: attack},
        loops_requested=attack, bundle_sha256=attack,
    )  # fmt: skip
    assert attack not in html
    assert html.count("&lt;script&gt;alert") >= 6
    Outline(html)


def test_report_without_episodes(tmp_path: Path) -> None:
    summary = summarise(samples.facts(), [], Measurements())
    html = write_report(tmp_path, summary, [], samples.camera()).read_text()
    assert "No episode was run" in html
    assert "None" not in re.sub(r"base64,[^\"]*", "", html)
    assert "nan" not in re.sub(r"<style>.*?</style>|base64,[^\"]*", "", html, flags=re.S)
    Outline(html)


def test_a_controller_without_a_model_has_no_empty_plots(tmp_path: Path) -> None:
    recorder = TraceRecorder(0.1)
    for stamp in (0.0, 1.0):
        recorder.tool(stamp, samples.START)
        recorder.distance(stamp, 0.1)
    summary = summarise(samples.facts(controller="scripted"), [samples.result()], Measurements())
    html = write_report(tmp_path, summary, [recorder.finish(samples.result())], samples.camera()).read_text()
    assert "Distance to the goal" in html
    for absent in ("Imagination", "imagined", "Cycle time", "Loops used", "Delay"):
        assert absent not in html.split("</style>")[1].split("<script>")[0]
    Outline(html)


def test_films_are_of_the_first_episodes_and_of_failures() -> None:
    traces = [samples.trace(i, success=i % 2 == 0, frames=0) for i in range(40)]
    indices = [trace.result.index for trace in shown(traces)]
    assert indices[:FIRST_SHOWN] == list(range(FIRST_SHOWN))
    assert indices[FIRST_SHOWN:] == [5 + 2 * i for i in range(FAILURES_SHOWN)]


def test_episodes_without_a_film_are_counted_and_stay_in_the_table(tmp_path: Path) -> None:
    html = report(tmp_path, [samples.trace(i, frames=2) for i in range(7)])
    assert "2 further episodes are not shown as films" in html
    assert Outline(html).rows == 1 + 7


@pytest.mark.parametrize(
    ("outcomes", "misses", "said", "graded"),
    [
        ([], 0, "No episode was run", "bad"),
        ([True], 0, "Solved 1 of 1 episode", "good"),
        ([True, True], 0, "Solved all 2 episodes", "good"),
        ([True, True], 1, "Solved all 2 episodes", "part"),
        ([True, False], 0, "Solved 1 of 2 episodes", "part"),
        ([False, False], 0, "Solved 0 of 2 episodes", "bad"),
    ],
)
def test_verdict(outcomes: list[bool], misses: int, said: str, graded: str) -> None:
    episodes = [samples.result(i, success) for i, success in enumerate(outcomes)]
    if episodes:
        episodes[0] = episodes[0].model_copy(update={"deadline_misses": misses})
    summary = samples.summary(episodes)
    assert (verdict(summary), grade(summary)) == (said, graded)


def changed(trace: Trace, **changes: object) -> Trace:
    return replace(trace, result=trace.result.model_copy(update=changes))


def test_failures_are_shown_with_a_word_on_why(tmp_path: Path) -> None:
    failed = changed(samples.trace(1, success=False), why="never touched the <cube>")
    html = report(tmp_path, [samples.trace(0), failed])
    assert "never touched the &lt;cube&gt;" in html
    outline = Outline(html)
    assert "failure-1" in outline.ids
    assert "failure-0" not in outline.ids
    assert "<h2>Failures</h2>" not in report(tmp_path, [samples.trace(0)])


def test_a_precise_distance_missed_is_said_in_a_line(tmp_path: Path) -> None:
    traces = [
        changed(samples.trace(0), precise_time_s=3.0),
        changed(samples.trace(1), why="stood still 3.0 cm from the goal"),
    ]
    html = report(tmp_path, traces, precise_distance_m=0.02)
    assert re.findall(r"<li>(.*?)</li>", html) == ["episode 1, seed 101: stood still 3.0 cm from the goal"]
    assert "Within 2.0" in html
    assert "<li>" not in report(tmp_path, traces)


def test_disturbances_are_in_the_headline(tmp_path: Path) -> None:
    trace = changed(samples.trace(0), disturbance="goal_moved", disturbed_at_s=1.5)
    html = report(tmp_path, [trace], disturb="goal_moved", goal="seen", world="nominal")
    assert "Goal moved" in html
    assert "1 of 1" in html
    assert "in the nominal world" in html
    Outline(html)
