"""Imagined against actual, in hindsight: exact, biased, late, in shadow, and without time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopwm_ros.control.command_history import SILENCE
from loopwm_ros.control.motion_history import MotionHistory
from loopwm_ros.control.prediction_gap import Gap, GapMeter, GapSettings, compare
from loopwm_ros.types import F32, F64, Encoding, JointState, Observation, PointPaths
from tests.loops import KINEMATICS, MODEL_PERIOD, Loop, SeeingModel

STEPS = 4
SETTINGS = GapSettings(steps=STEPS)
BIAS = np.array([0.01, 0.0, 0.0])  # [m] a transition
TURN = 0.4  # of joint 1, by hand [rad/s]


class Biased(SeeingModel):
    """Imagines the tool further along x with each transition."""

    def predict(self, state: F32, actions: F32) -> F32:
        readouts = super().predict(state, actions)
        readouts[:, :3] += np.outer(np.arange(1, len(actions) + 1), BIAS)
        return readouts


def meter(model: SeeingModel, settings: GapSettings = SETTINGS) -> GapMeter:
    return GapMeter(model, ("tool", "ball"), settings, model.clock)


def run(model: SeeingModel, slots: int = 8, latency: float = 0.03) -> Loop:
    loop = Loop(model, latency, meter(model))
    for k in range(slots):
        loop.slot(k * MODEL_PERIOD)
    return loop


def metres(loop: Loop, name: str) -> dict[int, float]:
    return {gap.step: gap.metres for gap in loop.report.gaps if gap.name == name}


@pytest.mark.parametrize("latency", [0.0, 0.0375, 0.1])
def test_where_the_model_is_right_there_is_no_gap_whatever_the_latency(latency: float) -> None:
    loop = run(SeeingModel(), latency=latency)
    moved = loop.report.prediction.points["tool"]
    assert np.linalg.norm(moved[-1] - moved[0]) > 0.05, "it moves, so stamps that are off would show"
    for name in ("tool", "ball"):
        assert list(metres(loop, name)) == list(range(1, STEPS + 1))
        assert max(metres(loop, name).values()) < 1e-3  # straight lines between servo periods


def test_the_gap_is_the_models_error_at_each_step() -> None:
    loop = run(Biased())
    wanted = {step: step * BIAS[0] for step in range(1, STEPS + 1)}
    assert metres(loop, "tool") == pytest.approx(wanted, abs=1e-3)
    assert max(metres(loop, "ball").values()) < 1e-6


def test_the_prediction_starts_at_a_state_of_some_slots_ago() -> None:
    loop = run(SeeingModel(), slots=8)
    newest = 0.7 - loop.latency
    assert loop.report.prediction.stamp == pytest.approx(newest - STEPS * MODEL_PERIOD)
    np.testing.assert_allclose(loop.report.prediction.offsets, MODEL_PERIOD * np.arange(1, STEPS + 1))
    assert loop.report.reading.stamp == pytest.approx(newest)


def test_a_short_history_gives_fewer_steps() -> None:
    assert run(SeeingModel(), slots=1).report.gaps == ()
    assert {gap.step for gap in run(SeeingModel(), slots=3).report.gaps} == {1, 2}


def test_hindsight_changes_no_plan() -> None:
    with_gap, without = Loop(SeeingModel(), gap=meter(SeeingModel())), Loop(SeeingModel())
    for k in range(8):
        for loop in (with_gap, without):
            loop.slot(k * MODEL_PERIOD)
    assert with_gap.report.gaps
    assert without.report.gaps == ()
    np.testing.assert_array_equal(with_gap.report.plan.actions, without.report.plan.actions)
    np.testing.assert_array_equal(with_gap.position, without.position)


def test_doubtful_readings_are_not_compared() -> None:
    loop = run(SeeingModel(std=0.03))
    assert metres(loop, "tool")
    assert not metres(loop, "ball")
    assert loop.report.reading.points == {}


def test_what_is_no_number_is_an_infinite_gap() -> None:
    model = SeeingModel()
    model.predict = lambda state, actions: np.full((len(actions), 6), np.nan, np.float32)
    assert set(metres(run(model), "tool").values()) == {math.inf}


def test_after_a_jump_of_the_clock_it_begins_anew() -> None:
    loop = run(SeeingModel())
    for start in (500.0, 0.0):  # forth and back
        loop.positions = {start + 0.0125 * i - 0.1: loop.position for i in range(8)}
        loop.slot(start)
        assert loop.report.gaps == ()
        loop.slot(start + MODEL_PERIOD)
        assert {gap.step for gap in loop.report.gaps} == {1}
        assert max(metres(loop, "tool").values()) < 1e-3


class Shadow:
    """Somebody else turns joint 1; nobody is sent anything."""

    def __init__(self, model: SeeingModel) -> None:
        self.horizon = Loop(model, gap=meter(model)).horizon
        self.ticks = 0

    def joints(self, at: float) -> F64:
        joints = KINEMATICS.home.copy()
        joints[0] += TURN * at
        return joints

    def slot(self) -> None:
        for _ in range(8):
            at = self.ticks / 80
            self.horizon.add_joints(JointState(at, self.joints(at), np.zeros(7)))
            self.ticks += 1
        start = 0.1 * (self.ticks / 8 - 1)
        measured = JointState(start, self.joints(start), np.zeros(7))
        self.report = self.horizon.plan(
            Observation(start, np.zeros((6, 8, 3), np.uint8), measured), start, None
        )
        self.horizon.command(start)


def test_in_shadow_the_measured_motion_is_the_action() -> None:
    shadow = Shadow(SeeingModel())
    for _ in range(12):
        shadow.slot()
    gaps = {gap.step: gap.metres for gap in shadow.report.gaps if gap.name == "tool"}
    assert list(gaps) == list(range(1, STEPS + 1))
    assert max(gaps.values()) < 1e-3
    path = shadow.report.prediction.points["tool"]
    assert np.linalg.norm(path[-1] - path[0]) > 0.04


def test_in_shadow_each_plan_starts_at_rest_from_the_measured_joints() -> None:
    shadow = Shadow(SeeingModel())
    for _ in range(12):
        shadow.slot()
    plan = shadow.horizon.command(shadow.report.slot + MODEL_PERIOD).trajectory
    newest = shadow.joints((shadow.ticks - 1) / 80)
    np.testing.assert_allclose(plan.positions[0], newest, atol=2e-2)
    assert shadow.report.plan is not None


def test_commands_count_again_as_soon_as_there_are_some() -> None:
    history = MotionHistory(KINEMATICS, SeeingModel().spec)
    home = KINEMATICS.home
    turned = home + 0.2 * np.eye(7)[0]
    history.clear(0.0, home)
    for at in (0.0, 1.0, 2.0, 2.2, 2.4):
        history.add_joints(JointState(at, home, np.zeros(7)))
    assert history.resting(0.1) is not None, "nothing has been sent yet"
    history.add_command(2.0, home)
    history.add_command(2.2, turned)
    history.add_command(2.4, turned)
    assert history.resting(2.4 + SILENCE / 2) is None
    assert history.resting(2.4 + 2 * SILENCE) is not None

    def actions(*times: float) -> F32:
        return history.actions(np.asarray(times), 2.5, lambda _: turned)

    assert np.linalg.norm(actions(2.0, 2.2)) > 0.1, "sent, though the joints did not follow"
    assert np.linalg.norm(actions(1.5, 2.2)) == 0.0, "in silence for a part of it: measured"


class Spent:
    """A model that takes a second of its clock for each transition."""

    def __init__(self) -> None:
        self.model = SeeingModel()
        self.spec, self.clock = self.model.spec, self.model.clock

    def predict(self, state: F32, actions: F32) -> F32:
        self.clock.now += len(actions)
        return self.model.predict(state, actions)


def filled(spent: Spent) -> tuple[GapMeter, MotionHistory]:
    """Three states, a transition apart; the last is new."""
    history = MotionHistory(KINEMATICS, spent.spec)
    history.clear(0.0, KINEMATICS.home)
    gap = GapMeter(spent, ("tool",), SETTINGS, spent.clock)
    for k in range(3):
        observe(gap, history, k)
    return gap, history


def observe(gap: GapMeter, history: MotionHistory, k: int) -> None:
    history.add_joints(JointState(k * MODEL_PERIOD, KINEMATICS.home, np.zeros(7)))
    tool = KINEMATICS.tool_position(KINEMATICS.home)
    encoding = Encoding(np.zeros((4, 64), np.float32), np.zeros(6, np.float32), np.full(6, 0.001, np.float32))
    gap.observe(k * MODEL_PERIOD, SeeingModel().at(tuple(tool)), encoding)


def test_its_time_is_kept_free_of_the_search_or_it_is_left_out() -> None:
    spent = Spent()
    gap, history = filled(spent)
    assert gap.measure(history, 0.2, lambda _: KINEMATICS.home, None) is not None
    assert gap.measure(history, 0.2, lambda _: KINEMATICS.home, None) is None, "nothing new to look back from"
    now = spent.clock.now
    ample, short = now + 1000.0, now + 10.0
    assert now + 900.0 < gap.search_deadline(ample) < ample - 3.0
    assert gap.search_deadline(short) == short, "the search comes first"
    assert gap.search_deadline(None) is None
    observe(gap, history, 3)
    assert gap.measure(history, 0.3, lambda _: KINEMATICS.home, now + 1.0) is None
    assert spent.clock.now == now, "never late"
    observe(gap, history, 4)
    assert gap.measure(history, 0.4, lambda _: KINEMATICS.home, ample) is not None


def test_a_cost_from_a_bad_moment_is_forgotten_in_time() -> None:
    spent = Spent()
    gap, history = filled(spent)
    gap.measure(history, 0.2, lambda _: KINEMATICS.home, None)
    for _ in range(60):
        deadline = spent.clock.now + 1.0
        kept = gap.search_deadline(deadline)
    assert kept < deadline


def test_readings_between_steps_are_compared_with_the_path_between_them() -> None:
    offsets = np.array([0.1, 0.2, 0.3])
    path = np.stack([np.array([t, 0.0, 0.0]) for t in offsets])  # 1 m/s along x
    prediction = PointPaths(5.0, offsets, {"tool": path, "cube": path})
    stamps = (5.0, 5.06, 5.2, 5.33, 5.4)
    readings = [PointPaths(t, np.zeros(1), {"cube": np.array([[t - 5.0, 0.02, 0.0]])}) for t in stamps]
    found = compare(prediction, path, readings)
    assert [gap.step for gap in found if gap.name == "cube"] == [1, 2, 3], "the ends are too far off"
    assert all(gap.metres == pytest.approx(0.02) for gap in found if gap.name == "cube")
    assert [gap for gap in found if gap.name == "tool"] == [Gap("tool", step, 0.0) for step in (1, 2, 3)]
