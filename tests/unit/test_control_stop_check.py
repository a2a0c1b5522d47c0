"""What bounds settle about a stop is what looking at each of its points says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopwm_ros.config import load_arm
from loopwm_ros.config.arm import Singularity
from loopwm_ros.control.jerk_limited import JerkLimited, Motion, Stop
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_filter import SafetyFilter
from loopwm_ros.control.stop_check import BETWEEN, FAST, INWARD, POINTS, SLOWING, StopCheck

PERIOD = 1.0 / 80.0
ARMS = {name: load_arm(name) for name in ("panda_rod", "ur5e", "xarm6", "iiwa")}
KINEMATICS = {name: Kinematics(arm) for name, arm in ARMS.items()}
CHECKS = {name: StopCheck(KINEMATICS[name], arm) for name, arm in ARMS.items()}
seeds = st.integers(0, 2**32 - 1)
arms = st.sampled_from(sorted(ARMS))


def moving(k: Kinematics, rng: np.random.Generator) -> Motion:
    """Near home or anywhere, slow or fast."""
    anywhere = rng.uniform(k.lower, k.upper)
    position = k.home + rng.choice([0.02, 0.2, 1.0]) * (anywhere - k.home)
    share = rng.choice([0.01, 0.1, 0.5])
    turning = rng.uniform(-1.0, 1.0, (2, len(position))) * share
    return Motion(position, turning[0] * k.velocity_limit, turning[1] * k.acceleration_limit)


def stop_of(k: Kinematics, motion: Motion) -> Stop:
    return JerkLimited(k, PERIOD).stop(motion)


@settings(max_examples=200, deadline=None)
@given(name=arms, seed=seeds)
def test_the_tool_is_as_near_and_as_slow_as_its_jacobian_says(name: str, seed: int) -> None:
    k, box = KINEMATICS[name], ARMS[name].workspace
    motion = moving(k, np.random.default_rng(seed))
    stop = stop_of(k, motion)
    positions, velocities = stop.path(stop.duration * POINTS)
    outside, off, fastest = CHECKS[name]._estimate(k.tool(motion.position), positions, velocities)
    for i, (position, velocity) in enumerate(zip(positions, velocities, strict=True)):
        place, speed = k.tool_motion(position, velocity)
        exactly = np.maximum(np.asarray(box.low) - place, place - np.asarray(box.high)).max()
        assert abs(exactly - outside[i]) <= off[i] + 1e-9
        assert speed <= fastest[i] + 1e-9


@settings(max_examples=300, deadline=None)
@given(name=arms, seed=seeds, turned=st.sampled_from([0.0, 0.01, 0.1]))
def test_the_tool_is_in_danger_exactly_where_one_of_all_points_is(
    name: str, seed: int, turned: float
) -> None:
    k, arm, check = KINEMATICS[name], ARMS[name], CHECKS[name]
    rng = np.random.default_rng(seed)
    now = moving(k, rng)
    motion = Motion(now.position + turned * rng.normal(size=len(k.home)), now.velocity, now.acceleration)
    stop = stop_of(k, motion)
    check.begin(now, k.tool(now.position))
    positions, velocities = stop.path(stop.duration * POINTS)

    def depth(place: np.ndarray) -> float:
        return max(0.0, *(np.asarray(arm.workspace.low) - place), *(place - np.asarray(arm.workspace.high)))

    place, speed = k.tool_motion(now.position, now.velocity)
    tools = [k.tool_motion(*point) for point in zip(positions, velocities, strict=True)]
    expected = ""
    if max(s for _, s in tools) > max(FAST * arm.tool_speed, (1.0 - SLOWING) * speed):
        expected = "tool speed"
    if max(depth(p) for p, _ in tools) > max(0.0, depth(place) - INWARD):
        expected = "workspace"
    assert check._tool_danger(k.tool(motion.position), positions, velocities) == expected


@settings(max_examples=100, deadline=None)
@given(name=arms, seed=seeds, more=st.floats(0.01, 1.0), between=st.floats(-0.5, 1.5))
def test_the_share_near_a_singularity_is_that_of_the_smallest_singular_value(
    name: str, seed: int, more: float, between: float
) -> None:
    k = KINEMATICS[name]
    tool = k.tool(np.random.default_rng(seed).uniform(k.lower, k.upper))
    left, values, right = np.linalg.svd(tool.jacobian, full_matrices=False)
    more *= values[-2] - values[-1]  # no change of its norm changes the smallest value by more than this one
    slow = max(0.0, values[-1] + between * more)
    arm = ARMS[name].model_copy(update={"singularity": Singularity(slow=slow, least=0.0)})
    safety = SafetyFilter(k, arm, PERIOD)
    safety._tool = tool
    safety._known = tool.jacobian + more * np.outer(left[:, -1], right[-1]), values[-1] + more
    assert safety._singularity_share() == pytest.approx(arm.singularity.share_at(values[-1]), abs=1e-5)


@pytest.mark.parametrize("name", sorted(ARMS))
def test_what_is_no_number_is_never_safe(name: str) -> None:
    k, check = KINEMATICS[name], CHECKS[name]
    path = np.tile(k.home, (len(POINTS), 1))
    nowhere = np.full_like(path, np.nan)
    tool = k.tool(k.home)
    assert check._leaves_range(nowhere, 0.01)
    assert check._too_fast(nowhere, np.full(len(POINTS) - 1, 0.01))
    assert check._tool_danger(tool, nowhere, np.zeros_like(path))
    assert check._tool_danger(tool, path, nowhere)


def test_a_joint_just_below_its_speed_limit_may_stop_together_with_the_others() -> None:
    k = KINEMATICS["panda_rod"]
    velocity = 0.99 * k.velocity_limit * np.eye(7)[0]
    stop = JerkLimited(k, PERIOD).stop_together(Motion(k.home, velocity, np.zeros(7)))
    assert stop is not None
    assert not CHECKS["panda_rod"]._too_fast(stop.path(stop.duration * POINTS)[1], stop.duration * BETWEEN)
