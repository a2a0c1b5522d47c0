"""The report's plots."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from loopwm_ros.validation import plots
from loopwm_ros.validation.trace import TraceRecorder
from tests import episodes as samples


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_perfect_imagination_has_no_error_and_the_baseline_does() -> None:
    offsets, errors, still = plots.imagination_errors([samples.trace()])
    np.testing.assert_allclose(offsets, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert np.nanmax(errors) < 1e-6
    speed = np.linalg.norm(samples.VELOCITY)
    np.testing.assert_allclose(np.nanmedian(still, axis=0), speed * offsets, rtol=1e-6)


def test_an_offset_imagination_is_measured() -> None:
    trace = samples.trace()
    for plan in trace.imagined:
        plan.path[:, 2] += 0.01
    _, errors, _ = plots.imagination_errors([trace])
    np.testing.assert_allclose(errors[np.isfinite(errors)], 0.01, atol=1e-6)


def test_imagination_past_the_end_or_at_rest_is_not_judged() -> None:
    recorder = TraceRecorder(0.1)
    for stamp in (0.0, 1.0):
        recorder.tool(stamp, samples.START)
    recorder.imagined(0.0, np.tile(samples.START + 0.05, (3, 1)), None)
    recorder.imagined(5.0, np.tile(samples.START, (3, 1)), None)
    offsets, errors, _ = plots.imagination_errors([recorder.finish(samples.result())])
    assert offsets.size == errors.size == 0


@pytest.mark.parametrize("episodes", [0, 3])
def test_plots_are_themed_svg_with_units(episodes: int) -> None:
    traces = [samples.trace(i, success=i != 1) for i in range(episodes)]
    summary = samples.summary([trace.result for trace in traces], cycle_deadline_ms=50.0)
    drawn = {
        "time [s]": plots.distance_plot(summary, traces),
        "cycle time [ms]": plots.cycle_plot(summary, traces),
        "transitions [%]": plots.loops_plot(summary),
        "tool position error [cm]": plots.imagination_plot(traces),
    }
    for label, svg in drawn.items():
        assert label in texts(svg)
        assert "prefers-color-scheme: dark" in svg
        assert "#1b2026" not in svg.split("</style>", 1)[1]
    assert any(text.strip() == "deadline" for text in texts(drawn["cycle time [ms]"]))
    assert ("not solved" in texts(drawn["time [s]"])) == (episodes > 0)


def test_loops_are_shown_as_shares() -> None:
    assert {"20%", "30%", "50%"} <= set(texts(plots.loops_plot(samples.summary([]))))
