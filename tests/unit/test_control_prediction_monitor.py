"""Within, slowing, stopping; outliers, what is missing, and jumps of the clock."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopwm_ros.control.gap_series import GapSeries, Limit, MonitorSettings, speed_share
from loopwm_ros.control.prediction_monitor import PLANNING, PredictionMonitor
from loopwm_ros.control.trajectory import hold
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, JointState, JointTrajectory, PointPaths
from tests.loops import KINEMATICS

PERIOD, STEPS = 0.1, 3
HOME = KINEMATICS.home
TOOL = KINEMATICS.tool_position(HOME)
CUBE = np.array([0.5, 0.1, 0.03])
LIMIT = 0.01
LIMITS = [Limit("tool", "m", step, LIMIT) for step in (1, 2, 3)] + [Limit("cube", "m", 1, LIMIT)]


class Bench:
    """An arm at rest; a model that imagines its tool beside it. `now` is monotonic, `stamp` ROS time."""

    def __init__(self, limits: list[Limit] = LIMITS, **settings: float) -> None:
        self.monitor = PredictionMonitor(KINEMATICS, MonitorSettings(**settings), limits)
        self.now, self.stamp = 1000.0, 50.0

    def slot(self, tool: float = 0.0, cube: float = 0.0, predict: bool = True, joints: bool = True) -> float:
        """One model period, the gaps [m] as given; returns the speed scale."""
        self.now += PERIOD
        for _ in range(8):
            self.stamp += PERIOD / 8
            if joints:
                self.monitor.add_joints(JointState(self.stamp, HOME, np.zeros(7)))
        self.monitor.add_plan(hold(self.stamp, HOME), self.now)
        self.monitor.add_reading(PointPaths(self.stamp, np.zeros(1), {"cube": CUBE[None]}))
        if predict:
            self.monitor.add_prediction(self.prediction(tool, cube), self.now)
        return self.monitor.update(self.now).speed_scale

    def prediction(self, tool: float, cube: float) -> PointPaths:
        beside = np.array([1.0, 0.0, 0.0])
        points = {"tool": TOOL + tool * beside, "cube": CUBE + cube * beside}
        paths = {name: np.tile(point, (STEPS, 1)) for name, point in points.items()}
        return PointPaths(self.stamp - STEPS * PERIOD, PERIOD * np.arange(1, STEPS + 1), paths)

    def slots(self, count: int, **gaps: float) -> float:
        return [self.slot(**gaps) for _ in range(count)][-1]

    def reasons(self) -> str:
        return "; ".join(self.monitor.update(self.now).reasons)


@pytest.mark.parametrize(
    ("gap", "share"),
    [(0.0, 1.0), (LIMIT, 1.0), (1.25 * LIMIT, 0.75), (1.5 * LIMIT, 0.5), (2 * LIMIT, 0.0), (math.inf, 0.0)],
)
def test_speed_falls_evenly_from_one_limit_to_two(gap: float, share: float) -> None:
    assert speed_share(gap, LIMIT, 2.0) == pytest.approx(share)


def test_a_limit_of_nothing_allows_nothing() -> None:
    assert speed_share(0.0, 0.0, 2.0) == 1.0
    assert speed_share(1e-9, 0.0, 2.0) == 0.0
    assert speed_share(math.nan, LIMIT, 2.0) == 0.0


def test_within_the_limits_nothing_is_slowed() -> None:
    bench = Bench()
    assert all(bench.slot(tool=0.9 * LIMIT, cube=0.9 * LIMIT) == 1.0 for _ in range(20))
    statuses = {(s.name, s.step): s for s in bench.monitor.statuses(bench.now)}
    assert statuses["tool", 2].within
    assert statuses["tool", 2].p99 == pytest.approx(0.9 * LIMIT, abs=1e-6)
    assert statuses["cube", 2].limit is None
    assert statuses["cube", 2].within is None
    assert bench.reasons() == ""


@pytest.mark.parametrize("point", ["tool", "cube"])
def test_a_gap_between_one_and_two_limits_slows_and_a_larger_one_stops(point: str) -> None:
    bench = Bench()
    bench.slots(6)
    assert bench.slots(5, **{point: 1.5 * LIMIT}) == pytest.approx(0.5, abs=1e-3)
    assert f"{point}, 1 ahead: gap 0.015 m, validated to 0.01" in bench.reasons()
    assert bench.slots(5, **{point: 3.0 * LIMIT}) == 0.0
    assert bench.slots(5) == 1.0, "it goes on where the cause ends"


def test_outliers_are_nothing() -> None:
    bench = Bench()
    bench.slots(5)
    scales = [bench.slot(tool=1.0 if k % 5 in (3, 4) else 0.0) for k in range(40)]
    assert set(scales) == {1.0}, "two of five"


def test_without_a_validation_it_only_reports() -> None:
    bench = Bench(limits=[])
    assert bench.slots(10, tool=1.0) == 1.0
    assert "only reported" in bench.reasons()
    tool = [s.recent for s in bench.monitor.statuses(bench.now) if s.name == "tool"]
    assert tool == pytest.approx([1.0] * STEPS)


def test_missing_predictions_stop_the_arm_while_mpc_plans() -> None:
    bench = Bench(timeout=1.0)
    bench.slots(5)
    assert bench.slots(9, predict=False) == 1.0
    assert bench.slots(2, predict=False) == 0.0
    assert "sends no predictions" in bench.reasons()
    assert bench.slot() == 1.0


def test_predictions_that_no_joints_reach_stop_the_arm() -> None:
    bench = Bench(timeout=1.0)
    bench.slots(5)
    assert bench.slots(12, joints=False) == 0.0
    assert "joint states that reach them do not" in bench.reasons()
    assert bench.slots(4) == 1.0


def test_while_mpc_does_not_plan_nothing_is_missing() -> None:
    bench = Bench(timeout=0.3)
    assert bench.monitor.update(bench.now).speed_scale == 1.0
    bench.slots(5)
    bench.now += PLANNING + 60.0
    assert bench.monitor.update(bench.now).speed_scale == 1.0
    assert bench.slot(predict=False) == 1.0, "its time begins anew with mpc"
    assert bench.slots(4, predict=False) == 0.0


@pytest.mark.parametrize("jump", [-40.0, 3600.0])
def test_after_a_jump_of_the_clock_it_goes_on(jump: float) -> None:
    bench = Bench(timeout=1.0)
    bench.slots(10, tool=0.5 * LIMIT)
    bench.stamp += jump
    scales = [bench.slot(tool=0.5 * LIMIT) for _ in range(20)]
    assert set(scales) == {1.0}
    assert bench.slots(5, tool=3 * LIMIT) == 0.0


def test_old_gaps_slow_nothing_any_more() -> None:
    series = GapSeries(MonitorSettings(memory=2.0))
    for k in range(5):
        series.add(0.1 * k, 0.5)
    assert series.recent(0.5) == 0.5
    assert series.recent(5.0) is None
    assert series.spread() == (0.5, 0.5)


def test_too_few_gaps_say_nothing() -> None:
    series = GapSeries(MonitorSettings(recent=5))
    said = []
    for _ in range(4):
        series.add(0.0, 1.0)
        said.append(series.recent(0.0))
    assert said == [None, None, 1.0, 1.0]


def test_what_is_no_number_is_infinite_and_stops() -> None:
    series = GapSeries(MonitorSettings())
    for gap in (0.0, math.nan, math.nan, math.inf):
        series.add(0.0, gap)
    assert series.recent(0.0) == math.inf
    assert speed_share(series.recent(0.0), LIMIT, 2.0) == 0.0
    assert not any(math.isnan(v) for v in series.spread())


@pytest.mark.parametrize(("steps", "points"), [(0, 1), (65, 1), (1, 0), (1, 9)])
def test_predictions_of_no_use_are_refused(steps: int, points: int) -> None:
    paths = {f"p{i}": np.zeros((steps, 3)) for i in range(points)}
    with pytest.raises(SensorError, match="expected 1 to 8 points"):
        Bench().monitor.add_prediction(PointPaths(0.0, 0.1 * np.arange(1, steps + 1), paths), 0.0)


def test_memory_is_bounded_whatever_comes() -> None:
    monitor = PredictionMonitor(KINEMATICS, MonitorSettings(), LIMITS)
    for k in range(3000):
        monitor.add_joints(JointState(0.01 * k, HOME, np.zeros(7)))
    for k in range(300):
        paths = {f"p{k}_{i}": np.zeros((4, 3)) for i in range(8)}
        monitor.add_prediction(PointPaths(29.0, np.arange(1, 5) * 0.01, paths), 0.0)
        monitor.add_reading(PointPaths(29.02, np.zeros(1), {name: np.zeros((1, 3)) for name in paths}))
        monitor.update(0.0)
    assert len(monitor.statuses(0.0)) == 512


class Driven:
    """Joint 1 is sent along and lags behind by `lag` [rad]; a plan is made for each slot."""

    def __init__(self, lag: float, commanded: bool = True) -> None:
        self.monitor = PredictionMonitor(KINEMATICS, MonitorSettings(), [Limit("joints", "rad", 2, 0.1)])
        self.turn = np.eye(7)[0]
        for k in range(161):
            at = k / 80
            self.monitor.add_joints(JointState(at, self.at(at) - lag * self.turn, 0.5 * self.turn))
            if commanded:
                self.monitor.add_command(at, self.at(at))
            if k % 8 == 0:
                ahead = np.linspace(0.0, 0.5, 6)
                positions = np.stack([self.at(at + offset) for offset in ahead])
                self.monitor.add_plan(
                    JointTrajectory(at, ahead, positions, np.tile(0.5 * self.turn, (6, 1))), at
                )
            if k == 80:
                self.monitor.add_prediction(PointPaths(0.5, np.array([0.1]), {"tool": np.zeros((1, 3))}), at)
            if k % 4 == 0:
                self.verdict = self.monitor.update(at)
        self.gaps = {s.step: s.recent for s in self.monitor.statuses(2.0) if s.name == "joints"}

    def at(self, time: float) -> F64:
        return HOME + 0.5 * time * self.turn


def test_joints_are_compared_with_what_was_sent_and_planned() -> None:
    assert Driven(lag=0.02).gaps == pytest.approx(dict.fromkeys(range(4), 0.02), abs=1e-9)


def test_joints_that_do_not_follow_the_plan_slow_the_arm() -> None:
    assert Driven(lag=0.02).verdict.speed_scale == 1.0
    assert Driven(lag=0.15).verdict.speed_scale == pytest.approx(0.5)


def test_in_shadow_plans_are_not_held_against_joints() -> None:
    assert Driven(lag=0.5, commanded=False).gaps == {}
