"""Limits hold for any reference; stops are smooth and in time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopwm_ros.config import load_arm
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_filter import SafetyFilter, stopping_time

PERIOD = 1.0 / 80.0
ARM = load_arm("panda")
KINEMATICS = Kinematics(ARM)


def make_filter() -> SafetyFilter:
    safety = SafetyFilter(KINEMATICS, ARM.workspace, PERIOD)
    safety.reset(KINEMATICS.home)
    return safety


joint_targets = st.lists(st.lists(st.floats(-4.0, 4.0), min_size=7, max_size=7), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(targets=joint_targets, hold=st.integers(1, 40), stop=st.booleans())
def test_limits_hold_for_any_reference(targets: list[list[float]], hold: int, stop: bool) -> None:
    safety = make_filter()
    low, high = np.asarray(ARM.workspace.low), np.asarray(ARM.workspace.high)
    before = safety.velocity
    for target in targets:
        for _ in range(hold):
            out = safety.step(np.asarray(target))
            assert np.all(np.abs(out.velocity) <= KINEMATICS.velocity_limit + 1e-9)
            assert np.all(np.abs(out.velocity - before) <= KINEMATICS.acceleration_limit * PERIOD + 1e-9)
            assert np.all(out.position <= KINEMATICS.upper + 1e-9)
            assert np.all(out.position >= KINEMATICS.lower - 1e-9)
            tool = KINEMATICS.tool_position(out.position)
            assert np.all(tool >= low - 0.01)
            assert np.all(tool <= high + 0.01)
            before = out.velocity
    if stop:
        longest = stopping_time(safety.velocity, KINEMATICS.acceleration_limit)
        for _ in range(int(np.ceil(longest / PERIOD)) + 1):
            out = safety.step(None)
        assert np.allclose(out.velocity, 0.0, atol=1e-9)


def test_near_reference_is_reached_exactly_and_reported_unaltered() -> None:
    safety = make_filter()
    target = KINEMATICS.home + 1e-4
    out = safety.step(target)
    assert out.altered == ()
    for _ in range(20):
        out = safety.step(target)
    assert np.allclose(out.position, target, atol=1e-9)


def test_far_reference_is_approached_without_overshoot() -> None:
    safety = make_filter()
    target = KINEMATICS.home.copy()
    target[0] += 0.3
    track = np.array([safety.step(target).position[0] for _ in range(200)])
    assert track.max() <= target[0] + 1e-6
    assert track[-1] == pytest.approx(target[0], abs=1e-4)


def test_reference_through_the_table_stops_above_it_and_says_so() -> None:
    safety = make_filter()
    position = KINEMATICS.home.copy()
    reasons: set[str] = set()
    for _ in range(400):
        position, _ = KINEMATICS.step(position, np.array([0.0, 0.0, -0.2]), PERIOD)
        reasons.update(safety.step(position).altered)
    assert "workspace" in reasons
    assert KINEMATICS.tool_position(safety.position)[2] >= ARM.workspace.low[2] - 1e-3


def test_outside_the_workspace_only_the_way_back_is_free() -> None:
    safety = make_filter()
    outside = KINEMATICS.home.copy()
    for _ in range(2000):
        outside, _ = KINEMATICS.step(outside, np.array([0.0, 0.3, 0.0]), PERIOD)
        if KINEMATICS.tool_position(outside)[1] > ARM.workspace.high[1] + 0.02:
            break
    safety.reset(outside)
    further, _ = KINEMATICS.step(outside, np.array([0.0, 0.1, 0.0]), 0.2)
    assert np.allclose(safety.step(further).position, outside)
    back = outside
    for _ in range(200):
        back, _ = KINEMATICS.step(back, np.array([0.0, -0.2, 0.0]), PERIOD)
        safety.step(back)
    assert KINEMATICS.tool_position(safety.position)[1] < ARM.workspace.high[1]
