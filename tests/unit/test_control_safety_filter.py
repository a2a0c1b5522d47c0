"""Limits hold for any reference, from any state; stops are smooth, in time, and end where the arm may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopwm_ros.config import ArmConfig, Box, load_arm
from loopwm_ros.control.clearance import Clearance
from loopwm_ros.control.jerk_limited import Motion, at_rest
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_filter import SafetyFilter
from loopwm_ros.types import F64

PERIOD = 1.0 / 80.0
ARM = load_arm("panda_rod")
ARMS = {name: load_arm(name) for name in ("panda_rod", "ur5e", "xarm6", "iiwa")}
KINEMATICS = {name: Kinematics(arm) for name, arm in ARMS.items()}
PANDA = KINEMATICS["panda_rod"]
WIDE = Box(low=(-2.0, -2.0, -2.0), high=(2.0, 2.0, 2.0))  # a workspace that binds nothing
SLACK = 1.001  # of a limit, for finite differences


def make_filter(kinematics: Kinematics = PANDA, arm: ArmConfig = ARM) -> SafetyFilter:
    return SafetyFilter(kinematics, arm, PERIOD)


def still(position: F64) -> Motion:
    return at_rest(position)


def drive(safety: SafetyFilter, rng: np.random.Generator, periods: int) -> list[F64]:
    """References that no planner would send; returns positions that came out."""
    k = PANDA if len(safety.position) == 7 else KINEMATICS["ur5e"]
    out, target = [], k.home
    for i in range(periods):
        if i % int(rng.integers(1, 30)) == 0:
            near = safety.position + rng.normal(0.0, 0.3, len(k.home))
            target = rng.uniform(-4.0, 4.0, len(k.home)) if rng.random() < 0.5 else near
        wild = Motion(target, rng.normal(0.0, 2.0, len(k.home)), rng.normal(0.0, 20.0, len(k.home)))
        out.append(safety.step(None if rng.random() < 0.1 else wild).position)
    return out


def worst(positions: list[F64], order: int) -> F64:
    """Largest finite difference of an order, per joint, the arm at rest before."""
    track = np.array([positions[0]] * order + positions)
    return np.abs(np.diff(track, n=order, axis=0)).max(axis=0) / PERIOD**order


@pytest.mark.parametrize("name", ["panda_rod", "ur5e"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), periods=st.integers(1, 80))
def test_limits_hold_for_any_reference(name: str, seed: int, periods: int) -> None:
    k, arm = KINEMATICS[name], ARMS[name]
    safety = make_filter(k, arm)
    positions = [k.home, *drive(safety, np.random.default_rng(seed), periods)]
    assert np.all(worst(positions, 1) <= k.velocity_limit * SLACK)
    assert np.all(worst(positions, 2) <= k.acceleration_limit * SLACK)
    assert np.all(worst(positions, 3) <= k.jerk_limit * SLACK)
    assert np.all(np.array(positions) <= k.upper + 1e-6)
    assert np.all(np.array(positions) >= k.lower - 1e-6)
    tools = np.array([k.tool_position(p) for p in positions])
    assert np.all(tools >= np.asarray(arm.workspace.low) - 1e-3)
    assert np.all(tools <= np.asarray(arm.workspace.high) + 1e-3)
    assert np.linalg.norm(np.diff(tools, axis=0), axis=1).max(initial=0.0) / PERIOD <= arm.tool_speed


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), periods=st.integers(1, 80))
def test_a_stop_from_any_state_ends_in_time_inside_the_limits_and_touches_nothing(
    seed: int, periods: int
) -> None:
    box = Box(low=(0.45, -0.2, 0.0), high=(0.6, 0.2, 0.25))
    arm = ARM.model_copy(
        update={"workspace": WIDE, "keep_out": {"box": box, "table": TABLE}, "tool_speed": 2.0}
    )
    safety, clearance = make_filter(arm=arm), Clearance(arm, PANDA)
    drive(safety, np.random.default_rng(seed), periods)
    took = 0
    for _ in range(int(np.ceil(safety.longest_stop / PERIOD)) + 1):
        if not safety.moving:
            break
        before = safety.position
        out = safety.step(None)
        took += 1
        assert np.all(np.abs(out.position - before) <= PANDA.velocity_limit * PERIOD * SLACK)
        nearest = clearance.nearest(out.position)
        assert nearest is not None
        assert nearest.distance >= arm.clearance - 1e-4, str(nearest)
    assert not safety.moving
    assert took * PERIOD <= safety.longest_stop + PERIOD


TABLE = Box(low=(0.15, -0.6, -0.1), high=(1.2, 0.6, 0.0))


def test_a_reference_within_limits_is_sent_as_it_is() -> None:
    safety = make_filter()
    errors = []
    for i in range(200):
        t = i * PERIOD
        turn = 0.1 * (1.0 - np.cos(2.0 * t))  # starts at rest
        wanted = Motion(
            PANDA.home + turn, np.full(7, 0.2 * np.sin(2.0 * t)), np.full(7, 0.4 * np.cos(2.0 * t))
        )
        out = safety.step(wanted)
        errors.append(np.abs(out.position - wanted.position).max())
        assert out.altered == ()
    assert max(errors) < 1e-3  # its acceleration jumps at the start
    assert max(errors[10:]) < 1e-9


def test_far_reference_is_approached_without_overshoot() -> None:
    safety = make_filter()
    target = PANDA.home.copy()
    target[0] += 0.3
    track = np.array([safety.step(still(target)).position[0] for _ in range(200)])
    assert track.max() <= target[0] + 1e-6
    assert track[-1] == pytest.approx(target[0], abs=1e-6)


def test_reference_through_the_table_stops_above_it_and_says_so() -> None:
    safety = make_filter()
    position = PANDA.home.copy()
    reasons: set[str] = set()
    for _ in range(400):
        position, velocity = PANDA.step(position, np.array([0.0, 0.0, -0.2]), PERIOD)
        reasons.update(safety.step(Motion(position, velocity, np.zeros(7))).altered)
    assert "workspace" in reasons
    assert PANDA.tool_position(safety.position)[2] >= ARM.workspace.low[2] - 1e-3


def test_outside_the_workspace_only_the_way_back_is_free() -> None:
    safety = make_filter()
    outside = PANDA.home.copy()
    while PANDA.tool_position(outside)[1] <= ARM.workspace.high[1] + 0.02:
        outside, _ = PANDA.step(outside, np.array([0.0, 0.3, 0.0]), PERIOD)
    safety.reset(outside)
    further, _ = PANDA.step(outside, np.array([0.0, 0.1, 0.0]), 0.2)
    assert np.allclose(safety.step(still(further)).position, outside)
    back = outside
    for _ in range(200):
        back, _ = PANDA.step(back, np.array([0.0, -0.2, 0.0]), PERIOD)
        safety.step(still(back))
    assert PANDA.tool_position(safety.position)[1] < ARM.workspace.high[1]


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_at_the_very_border_of_the_workspace_the_arm_goes_on_inside_it_as_fast_as_it_may(share) -> None:
    arm = load_arm("panda_rod")
    k = Kinematics(arm)
    start = k.reach(k.home, np.array([0.554, -0.28, 0.0155]))
    floor = float(k.tool_position(start)[2])
    low = (*arm.workspace.low[:2], floor)
    safety = make_filter(k, arm.model_copy(update={"workspace": Box(low=low, high=arm.workspace.high)}))
    safety.reset(start)
    safety.speed_share = share
    target = start + np.array([0.0031, 0.0652, 0.0207, 0.1198, 0.0142, -0.0423, 0.0239])
    assert k.tool_position(target)[2] > floor + 0.005
    for _ in range(160):
        safety.step(still(target))
        assert k.tool_position(safety.position)[2] >= floor - 1e-6
    reached = target if share else start
    np.testing.assert_allclose(safety.position, reached, atol=1e-3)


def test_a_stop_keeps_the_tool_on_its_way() -> None:
    safety = make_filter()
    position = PANDA.home.copy()
    for _ in range(60):
        position, velocity = PANDA.step(position, np.array([0.12, 0.2, 0.0]), PERIOD)
        safety.step(Motion(position, velocity, np.zeros(7)))
    before, way = PANDA.tool_position(safety.position), np.array([0.12, 0.2, 0.0]) / np.hypot(0.12, 0.2)
    while safety.moving:
        safety.step(None)
    moved = PANDA.tool_position(safety.position) - before
    assert np.linalg.norm(moved - (moved @ way) * way) < 1e-3


def test_the_elbow_keeps_out_of_a_box_that_the_tool_never_enters() -> None:
    box = Box(low=(-0.1, 0.25, 0.3), high=(0.35, 0.6, 0.9))
    arm = ARM.model_copy(update={"keep_out": {"shelf": box}, "workspace": WIDE, "tool_speed": 2.0})
    safety, clearance = make_filter(arm=arm), Clearance(arm, PANDA)
    target = PANDA.home.copy()
    target[0], target[1] = 1.3, -1.2
    reasons: set[str] = set()
    for _ in range(400):
        out = safety.step(still(target))
        reasons.update(out.altered)
        nearest = clearance.nearest(out.position)
        assert nearest is not None
        assert nearest.distance >= arm.clearance - 1e-4
    assert any(reason.endswith("to shelf") for reason in reasons), reasons
    assert np.abs(safety.position - target).max() > 0.1


def test_the_tool_is_not_faster_than_its_limit_and_goes_the_same_way() -> None:
    arm = ARM.model_copy(update={"tool_speed": 0.1})
    safety = make_filter(arm=arm)
    position, speeds, reasons = PANDA.home.copy(), [], set()
    for _ in range(60):
        position, velocity = PANDA.step(position, np.array([0.0, 0.2, 0.0]), PERIOD)
        before = PANDA.tool_position(safety.position)
        reasons.update(safety.step(Motion(position, velocity, np.zeros(7))).altered)
        speeds.append((PANDA.tool_position(safety.position) - before) / PERIOD)
    assert "tool speed" in reasons
    assert np.linalg.norm(speeds, axis=1).max() <= 0.1 * 1.001
    assert speeds[-1][1] > 0.07
    assert np.abs(speeds[-1][[0, 2]]).max() < 0.02


def test_the_arm_slows_near_a_singularity_and_comes_out_again() -> None:
    k = KINEMATICS["ur5e"]
    safety = make_filter(k, ARMS["ur5e"].model_copy(update={"workspace": WIDE}))
    straight = k.home.copy()
    straight[4] = 0.0  # wrist axes in line
    reasons: list[str] = []
    fastest_near = 0.0
    for _ in range(400):
        out = safety.step(still(straight))
        reasons += out.altered
        if k.manipulability(out.position) < 0.01:
            fastest_near = max(fastest_near, float(np.abs(out.velocity).max()))
    assert "singularity" in reasons
    assert 0.0 < fastest_near < 0.3 * k.velocity_limit.max()
    for _ in range(1200):
        safety.step(still(k.home))
    assert np.abs(safety.position - k.home).max() < 1e-3


def test_a_monitor_slows_the_arm_and_holds_it() -> None:
    def reach(share: float) -> float:
        safety = make_filter()
        target = PANDA.home + np.array([0.5, 0, 0, 0, 0, 0, 0])
        safety.speed_share = share
        fastest, reasons = 0.0, set()
        for _ in range(60):
            out = safety.step(still(target))
            fastest = max(fastest, float(np.abs(out.velocity).max()))
            reasons.update(out.altered)
        assert ("monitor" in reasons) == (share < 1.0)
        return fastest

    full, half, none = reach(1.0), reach(0.5), reach(0.0)
    assert half < 0.6 * full
    assert none < 1e-3
