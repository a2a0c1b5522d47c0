"""Faults: each breaks what its name says, while it lasts, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from loopwm_ros.config import load_arm
from loopwm_ros.control.trajectory import hold
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory
from loopwm_ros.validation.faults import FAULTS, JUMP, LOSS, WHEN, Fault, FaultyBackend, FaultyController
from loopwm_ros.validation.suite import FaultName
from tests.arms import SERVO, ExactArm

ARM = load_arm("panda")
START = np.zeros(7)
LONG = round((WHEN[1] + 3.0) / SERVO)  # servo periods


def stepped(name: FaultName, seed: int = 3) -> tuple[Fault, ExactArm, list[JointState | None], list]:
    """An arm that creeps on under a fault: joint states and frames by servo period."""
    fault, arm = Fault(name), ExactArm(START)
    faulty = FaultyBackend(arm, fault)
    faulty.reset(seed)
    joints, frames = [], []
    for i in range(LONG):
        faulty.step(np.full(7, 1e-3 * (i + 1)))
        joints.append(faulty.joint_state())
        frames.append(faulty.new_frame())
    return fault, arm, joints, frames


def during(fault: Fault, values: list, inside: bool = True) -> list:
    times = SERVO * np.arange(1, len(values) + 1)
    return [v for v, t in zip(values, times, strict=True) if (fault.begins <= t < fault.ends) == inside]


def test_every_fault_of_a_suite_has_a_promise() -> None:
    assert set(FAULTS) == set(get_args(FaultName))


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_broken_before_and_after(name: FaultName) -> None:
    fault, arm, joints, frames = stepped(name)
    assert WHEN[0] <= fault.begins <= WHEN[1]
    assert fault.ends == fault.begins + FAULTS[name].lasts < LONG * SERVO
    for state in during(fault, joints, inside=False):
        assert np.abs(state.position - state.position[0]).max() == 0
        assert state.position[0] < 1e-3 * (LONG + 1)
    assert len([f for f in during(fault, frames, inside=False) if f is not None and f.rgb.any()]) > 10
    times = SERVO * np.arange(LONG)
    outside = [c for c, t in zip(arm.commands, times, strict=True) if not fault.begins <= t < fault.ends]
    assert all(command is not None for command in outside)


def test_joint_states_stop_are_not_finite_or_jump() -> None:
    fault, _, joints, _ = stepped("joints_stop")
    assert set(during(fault, joints)) == {None}
    fault, _, joints, _ = stepped("joints_nan")
    assert all(np.isnan(state.position).all() for state in during(fault, joints))
    fault, _, joints, _ = stepped("joints_jump")
    assert all(state.position.min() > JUMP for state in during(fault, joints))


def test_the_camera_stops_goes_black_or_freezes() -> None:
    fault, _, _, frames = stepped("camera_stops")
    assert set(during(fault, frames)) == {None}
    fault, _, _, frames = stepped("camera_black")
    seen = [frame for frame in during(fault, frames) if frame is not None]
    assert seen
    assert not any(frame.rgb.any() for frame in seen)


class Counting(ExactArm):
    """Its frames differ."""

    def _image(self) -> CameraFrame:
        frame = super()._image()
        return replace(frame, rgb=np.full_like(frame.rgb, self._tick % 251))


def test_a_frozen_camera_repeats_its_last_image_with_new_stamps() -> None:
    fault = Fault("camera_freezes")
    faulty = FaultyBackend(Counting(START), fault)
    faulty.reset(0)
    frames = []
    while faulty.now < fault.ends + 0.2:
        faulty.step(None)
        if (frame := faulty.new_frame()) is not None:
            frames.append(frame)
    frozen = [frame for frame in frames if fault.begins <= frame.stamp < fault.ends]
    before = [frame for frame in frames if frame.stamp < fault.begins]
    after = [frame for frame in frames if frame.stamp >= fault.ends]
    assert len({frame.stamp for frame in frozen}) == len(frozen) > 10
    assert {int(frame.rgb[0, 0, 0]) for frame in frozen} == {int(before[-1].rgb[0, 0, 0])}
    assert len({int(frame.rgb[0, 0, 0]) for frame in after}) == len(after) > 1


def test_some_commands_are_lost() -> None:
    fault, arm, _, _ = stepped("commands_lost")
    times = SERVO * np.arange(LONG)
    sent = [c for c, t in zip(arm.commands, times, strict=True) if fault.begins <= t < fault.ends]
    lost = sum(command is None for command in sent) / len(sent)
    assert LOSS / 2 < lost < 2 * LOSS


class Holding:
    """A controller that holds."""

    def reset(self, seed: int, now: float, joints: JointState) -> None:
        pass

    observe_joints = observe_frame = observe_command = lambda self, *given: None

    def tick(self, now: float) -> JointTrajectory:
        return hold(now, START)


@pytest.mark.parametrize("name", ["plans_stop", "plans_nan"])
def test_plans_stop_or_are_not_finite(name: FaultName) -> None:
    fault = Fault(name)
    fault.draw(5, 0.0)
    faulty = FaultyController(Holding(), fault)

    def plan(at: float) -> F64 | None:
        made = faulty.tick(at)
        return None if made is None else made.positions

    broken = plan(fault.begins)
    assert broken is None if name == "plans_stop" else np.isnan(broken).all()
    for at in (fault.begins - 1e-6, fault.ends):
        assert np.array_equal(plan(at), hold(at, START).positions)


def test_when_it_happens_depends_on_the_seed_alone() -> None:
    first, again, other = (stepped("commands_lost", seed) for seed in (7, 7, 8))
    assert first[0].begins == again[0].begins != other[0].begins
    lost = [[c is None for c in arm.commands] for _, arm, _, _ in (first, again, other)]
    assert lost[0] == lost[1] != lost[2]
