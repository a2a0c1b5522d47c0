"""Checks against thresholds, on made-up episodes with known numbers."""

from __future__ import annotations

from typing import Any

import pytest

from loopwm_ros.validation.certificate import Check
from loopwm_ros.validation.journal import EpisodeRecord
from loopwm_ros.validation.measured_motion import Extremes, FaultScore
from loopwm_ros.validation.pooling import altered_shares, gap_limits, part_results, sort_episodes
from loopwm_ros.validation.statistics import wilson
from loopwm_ros.validation.suite import Suite
from loopwm_ros.validation.verdict import checks
from tests import episodes as samples

PERIOD = 0.1
MOTION = {"position": 0.0, "velocity": 1.0, "acceleration": 2.0, "workspace": 0.01}


def suite(**changes: Any) -> Suite:
    values: dict[str, Any] = {
        "name": "made_up",
        "task": "reach",
        "parts": {
            "nominal": {"episodes": 4, "seed": 0, "success": {"at_least": 0.75}},
            "shaken": {"episodes": 2, "seed": 9, "disturb": "all"},
        },
        "gaps": {"margin": 2.0, "limits": {"tool": {"1": 0.02}}},
        "motion": MOTION,
    }
    return Suite.model_validate(values | changes)


def episode(part: str, index: int = 0, success: bool = True, **changes: Any) -> EpisodeRecord:
    values: dict[str, Any] = {"part": part, "result": samples.result(index, success)}
    return EpisodeRecord(**(values | {"gate_periods": 100, "motion": Extremes()} | changes))


def judged(wanted: Suite, *records: EpisodeRecord) -> dict[str, Check]:
    return {check.name: check for check in checks(wanted, sort_episodes(wanted, records), PERIOD)}


def test_success_is_the_rate_or_the_lower_end_of_its_interval() -> None:
    records = [episode("nominal", i, success=i > 0) for i in range(4)]
    check = judged(suite(), *records)["nominal.success"]
    assert (check.value, check.passed) == (0.75, True)
    strict = {"nominal": {"episodes": 4, "seed": 0, "success": {"at_least": 0.75, "of": "wilson_low"}}}
    check = judged(suite(parts=strict), *records)["nominal.success"]
    interval = wilson(3, 4)
    assert interval is not None
    assert (check.value, check.passed) == (interval[0], False)


def test_precision_is_counted_over_all_episodes() -> None:
    parts = {"nominal": {"episodes": 2, "seed": 0, "precise": {"at_least": 0.6}}}
    close = samples.result(0).model_copy(update={"precise_time_s": 3.0})
    records = [episode("nominal", result=close), episode("nominal", 1)]
    check = judged(suite(parts=parts), *records)["nominal.precise"]
    assert (check.value, check.passed) == (0.5, False)
    (part,) = part_results(sort_episodes(suite(parts=parts), records), parts, asks_precise=True)
    assert (part.precise, part.precise_rate) == (1, 0.5)


def test_gaps_are_pooled_over_what_was_not_disturbed() -> None:
    records = [
        episode("nominal", 0, gaps={"tool": {1: (0.01,) * 50, 2: (0.03,)}}),
        episode("nominal", 1, gaps={"tool": {1: (0.01,) * 50}}),
        episode("shaken", 0, gaps={"tool": {1: (0.9,)}}),
        episode("faults.joints_nan", 0, gaps={"tool": {1: (0.9,)}}),
    ]
    check = judged(suite(), *records)["gaps.tool.1"]
    assert (check.value, check.passed) == (pytest.approx(0.01), True)
    first, second = gap_limits(suite(), sort_episodes(suite(), records), PERIOD)
    assert (first.step, first.offset_s, first.samples, first.unit) == (1, 0.1, 100, "m")
    assert first.limit == pytest.approx(0.02)
    assert second.limit == pytest.approx(0.06)


def test_what_was_not_measured_is_not_passed() -> None:
    found = judged(suite(interventions={"any": 1.0, "by_reason": {"velocity": 1.0}}), *[])
    assert {name for name, check in found.items() if check.passed} == set()
    assert found["gaps.tool.1"].value is None
    assert found["interventions.velocity"].value is None
    assert found["motion.velocity"].value is None


def test_interventions_are_shares_of_all_servo_periods() -> None:
    records = [
        episode("nominal", 0, altered_periods=20, altered={"velocity": 15, "workspace": 10}),
        episode("shaken", 0),
        episode("faults.plans_stop", 0, altered_periods=100, altered={"plan is stale": 100}),
    ]
    wanted = suite(interventions={"any": 0.1, "by_reason": {"velocity": 0.07, "position": 0.0}})
    found = judged(wanted, *records)
    assert (found["interventions.any"].value, found["interventions.any"].passed) == (0.1, True)
    assert (found["interventions.velocity"].value, found["interventions.velocity"].passed) == (0.075, False)
    assert (found["interventions.position"].value, found["interventions.position"].passed) == (0.0, True)
    total, by_reason = altered_shares(sort_episodes(wanted, records).plain)
    assert (total, by_reason) == (0.1, {"velocity": 0.075, "workspace": 0.05})


def test_forces_are_those_of_periods_with_contact() -> None:
    wanted = suite(forces={"things": {"p50": 2.0, "max": 5.0}, "table": {"max": 0.0}})
    records = [
        episode("nominal", 0, thing_forces=(1.0, 2.0)),
        episode("faults.plans_nan", 0, thing_forces=(9.0,)),
    ]
    found = judged(wanted, *records)
    assert (found["forces.things.p50"].value, found["forces.things.p50"].passed) == (2.0, True)
    assert (found["forces.things.max"].value, found["forces.things.max"].passed) == (9.0, False)
    assert (found["forces.table.max"].value, found["forces.table.max"].passed) == (0.0, True)


def test_motion_is_the_farthest_of_all_episodes() -> None:
    slow, fast = Extremes(velocity=0.4), Extremes(velocity=1.2)
    records = [episode("nominal", 0, motion=slow), episode("shaken", 0, motion=fast)]
    found = judged(suite(), *records)
    assert (found["motion.velocity"].value, found["motion.velocity"].passed) == (1.2, False)
    assert found["motion.position"].passed


FAULTS = {
    "scenarios": ["plans_stop", "joints_jump", "camera_stops"],
    "episodes": 1,
    "seed": 0,
    "stop_s": 0.4,
    "recovered": {"at_least": 0.5},
    "motion": MOTION,
}


def score(name: str, stops: bool, recovers: bool, after: float | None) -> FaultScore:
    return FaultScore(name=name, begins_s=1.0, stops=stops, recovers=recovers, stopped_after_s=after)


def broken(jump: float | None) -> list[EpisodeRecord]:
    return [
        episode("faults.plans_stop", 0, fault=score("plans_stop", True, True, 0.3)),
        episode("faults.joints_jump", 0, False, fault=score("joints_jump", True, False, jump)),
        episode("faults.camera_stops", 0, False, fault=score("camera_stops", False, True, None)),
    ]


def test_faults_are_judged_by_what_each_promises() -> None:
    found = judged(suite(faults=FAULTS), *broken(0.35))
    assert (found["faults.stop"].value, found["faults.stop"].passed) == (0.35, True)
    assert (found["faults.recovered"].value, found["faults.recovered"].passed) == (0.5, True)
    assert found["faults.motion.velocity"].passed


def test_an_arm_that_did_not_stop_is_not_passed() -> None:
    found = judged(suite(faults=FAULTS), *broken(None))
    assert (found["faults.stop"].value, found["faults.stop"].passed) == (None, False)


def test_load_counts_deadlines_over_all_its_episodes() -> None:
    load = {"episodes": 2, "seed": 0, "deadline_misses": 0.05, "real_time_factor": 0.9}
    slow = samples.result(1).model_copy(update={"deadline_misses": 2})
    records = [
        episode("load", 0, simulated_s=5.0, wall_s=5.0, gate_periods=0, motion=None),
        episode("load", 1, result=slow, simulated_s=5.0, wall_s=7.5, gate_periods=0, motion=None),
    ]
    found = judged(suite(load=load), *records)
    assert (found["load.deadline_misses"].value, found["load.deadline_misses"].passed) == (0.1, False)
    assert (found["load.real_time_factor"].value, found["load.real_time_factor"].passed) == (0.8, False)
