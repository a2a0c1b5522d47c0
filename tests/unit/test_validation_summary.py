"""The JSON of a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from loopwm_ros.types import Plan
from loopwm_ros.validation.summary import (
    EpisodeResult,
    Measurements,
    read_summary,
    summarise,
    write_summary,
)
from tests import episodes as samples

REQUIRED = {
    *("success", "episodes", "success_rate", "wilson95", "median_time_to_success_s", "per_episode"),
    *("cycle_ms", "deadline_misses", "cycles", "delay_ms", "loops", "candidates", "refinements"),
    *("plans", "real_time_factor", "bundle_sha256", "seed", "mode", "controller", "task", "arm"),
}


def plan(candidates: int, loops: list[int]) -> Plan:
    return Plan(
        actions=np.zeros((2, 3), dtype=np.float32),
        cost=0.0,
        candidates=candidates,
        refinements=2,
        loops=np.array(loops),
        imagined=np.zeros((2, 6), dtype=np.float32),
    )


def test_json_has_the_required_fields_and_reads_back(tmp_path: Path) -> None:
    made = samples.summary([samples.result(0), samples.result(1, success=False)])
    path = write_summary(tmp_path / "new" / "summary.json", made)
    raw = json.loads(path.read_text())
    assert raw.keys() >= REQUIRED
    assert raw["cycle_ms"].keys() == {"p50", "p99", "max"}
    assert raw["loops"] == {"mean": 2.3, "p50": 2, "p95": 3, "histogram": {"1": 4, "2": 6, "3": 10}}
    assert (raw["success"], raw["episodes"], raw["success_rate"]) == (1, 2, 0.5)
    assert (raw["cycles"], raw["plans"], raw["median_time_to_success_s"]) == (20, 10, 2.0)
    assert read_summary(path) == made


def test_no_episodes_gives_none_and_valid_json(tmp_path: Path) -> None:
    made = summarise(samples.facts(), [], Measurements())
    assert (made.success_rate, made.wilson95, made.median_time_to_success_s) == (None, None, None)
    assert "NaN" not in write_summary(tmp_path / "s.json", made).read_text()


def test_median_is_over_successes_alone() -> None:
    times = [1.0, 2.0, 6.0]
    episodes = [samples.result(i).model_copy(update={"time_to_success_s": t}) for i, t in enumerate(times)]
    assert samples.summary([*episodes, samples.result(3, success=False)]).median_time_to_success_s == 2.0


def test_measurements_add_plans_with_histograms_of_any_length() -> None:
    measured = Measurements()
    measured.add_plan(plan(128, [0, 5, 1]), delay_ms=120.0)
    measured.add_plan(plan(64, [0, 2]), delay_ms=140.0)
    measured.add_plan(plan(64, [0, 0, 0, 0, 3]), delay_ms=130.0)
    made = summarise(samples.facts(), [], measured)
    assert made.loops.histogram == {1: 7, 2: 1, 4: 3}
    assert (made.candidates.min, made.candidates.max, made.refinements.mean) == (64, 128, 2.0)
    assert (made.delay_ms.p50, made.delay_ms.max) == (130.0, 140.0)


def test_real_time_factor_is_over_all_episodes() -> None:
    measured = Measurements()
    assert measured.real_time_factor is None
    measured.add_time(simulated=3.0, wall=3.0)
    measured.add_time(simulated=1.0, wall=2.0)
    assert summarise(samples.facts(), [], measured).real_time_factor == pytest.approx(0.8)


@pytest.mark.parametrize(("success", "time"), [(True, None), (False, 2.0)])
def test_time_of_success_must_fit_the_outcome(success: bool, time: float | None) -> None:
    with pytest.raises(ValidationError, match="time_to_success_s"):
        EpisodeResult(
            index=0, seed=0, success=success, time_to_success_s=time, final_distance_m=0, min_distance_m=0
        )


def test_nan_is_refused() -> None:
    with pytest.raises(ValidationError, match="finite"):
        EpisodeResult(index=0, seed=0, success=False, final_distance_m=float("nan"), min_distance_m=0)


def test_precision_is_counted_where_the_task_asks_for_it() -> None:
    episodes = [
        samples.result(0).model_copy(update={"precise_time_s": 3.0}),
        samples.result(1).model_copy(update={"precise_time_s": 5.0}),
        samples.result(2),
        samples.result(3, success=False),
    ]
    made = samples.summary(episodes, task="push", precise_distance_m=0.02)
    assert (made.success, made.precise, made.precise_rate, made.median_precise_time_s) == (3, 2, 0.5, 4.0)
    assert made.precise_wilson95 == pytest.approx((0.15, 0.85), abs=0.01)
    without = samples.summary([samples.result(0)])
    assert (without.precise, without.precise_rate, without.precise_wilson95) == (None, None, None)


def test_recoveries_are_counted_by_kind() -> None:
    def disturbed(index: int, kind: str, success: bool) -> EpisodeResult:
        return samples.result(index, success).model_copy(update={"disturbance": kind, "disturbed_at_s": 1.5})

    episodes = [disturbed(0, "goal_moved", True), disturbed(1, "camera_nudged", False)]
    episodes += [disturbed(2, "goal_moved", False), samples.result(3)]
    nudged, moved = samples.summary(episodes, disturb="all").recoveries
    assert (nudged.kind, nudged.success, nudged.episodes, nudged.median_recovery_s) == (
        "camera_nudged", 0, 1, None,
    )  # fmt: skip
    assert (moved.kind, moved.success, moved.episodes, moved.median_recovery_s) == ("goal_moved", 1, 2, 0.5)
    assert moved.precise is None
    assert samples.summary([samples.result(0)]).recoveries == ()


def test_what_was_in_place_when_it_was_disturbed_is_told_apart() -> None:
    """The hold takes 0.5 s: at 2.0 s it began with the disturbance, at 3.0 s when that was over."""
    cases = [("camera_nudged", 2.0), ("camera_nudged", 2.2), ("object_hidden", 3.0), ("object_hidden", 3.2)]
    episodes = [
        samples.result(i).model_copy(
            update={"disturbance": kind, "disturbed_at_s": 1.5, "time_to_success_s": time}
        )
        for i, (kind, time) in enumerate(cases)
    ]
    made = samples.summary(episodes, disturb="all").recoveries
    assert [(kind.success, kind.at_once) for kind in made] == [(2, 1), (2, 1)]


def test_measurements_of_several_episodes_add_up() -> None:
    whole = Measurements()
    for milliseconds, loops in ((10.0, [0, 1]), (30.0, [0, 0, 3])):
        part = Measurements()
        part.add_cycle(milliseconds)
        part.add_plan(plan(64, loops), delay_ms=100.0)
        part.add_time(1.0, 0.5)
        whole.merge(part)
    made = summarise(samples.facts(), [], whole)
    assert (made.cycle_ms.p50, made.loops.histogram, made.real_time_factor) == (20.0, {1: 1, 2: 3}, 2.0)


def test_precise_without_success_is_refused() -> None:
    with pytest.raises(ValidationError, match="precise_time_s"):
        EpisodeResult(
            index=0, seed=0, success=False, precise_time_s=1.0, final_distance_m=0, min_distance_m=0
        )
