"""The safety node: nothing moves until armed; a plan is followed, and a stale one ends in a smooth stop."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.config import load_arm, share_dir
from loopwm_ros.control.safety_gate import GateState
from loopwm_ros.errors import ConfigError
from loopwm_ros.messages import trajectory_from
from loopwm_ros.nodes import heartbeats
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.qos import COMMAND, REPORT, SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.safety import SafetyNode
from loopwm_ros.types import JointState, JointTrajectory
from tests.ros.conftest import Bench

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)
PERIOD = 1 / 80
NAMED = Parameter("arm", value=ARM.name)


class Arm:
    """Joints that are wherever they were last told to be, and a planner that moves joint 1."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._make = bench, message_factory()
        self._joints = bench.node.create_publisher(JointStateMessage, ARM.topics.joint_states, SENSOR_SOURCE)
        self._plans = bench.node.create_publisher(TrajectoryMessage, PLAN_TOPIC, COMMAND)
        self.commands = bench.listen(Float64MultiArray, ARM.topics.command, COMMAND)
        self.speed: float | None = None  # of joint 1 in the plans [rad/s]; None: no plans
        bench.node.create_timer(0.01, self.send_joints)
        bench.node.create_timer(0.05, self._send_plan)
        bench.until(lambda: self._joints.get_subscription_count() and self._plans.get_subscription_count())

    @property
    def position(self) -> np.ndarray:
        return np.array(self.commands[-1].data) if self.commands else HOME

    def _now(self) -> float:
        return self._bench.node.get_clock().now().nanoseconds * 1e-9

    def send_joints(self) -> None:
        joints = JointState(self._now(), self.position, np.zeros(7))
        self._joints.publish(self._make.joint_state(joints, ARM.joints))

    def _send_plan(self) -> None:
        if self.speed is None:
            return
        velocity = np.eye(7)[0] * self.speed
        at = np.array([0.0, 10.0, 11.0])
        positions = self.position + np.array([0.0, 10.0, 10.5])[:, None] * velocity
        plan = JointTrajectory(self._now(), at, positions, np.array([velocity, velocity, np.zeros(7)]))
        self._plans.publish(self._make.trajectory(plan, ARM.joints))


@pytest.fixture
def safety(bench: Bench) -> SafetyNode:
    return bench.add(SafetyNode([NAMED]))


@pytest.fixture
def arm(bench: Bench, safety: SafetyNode) -> Arm:
    return Arm(bench)


def states(heard: list[DiagnosticArray]) -> list[str]:
    return [s.message for m in heard for s in m.status if s.name == "safety"]


def test_disarmed_node_sends_nothing(bench, arm) -> None:
    arm.speed = 0.3
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    bench.until(lambda: len(states(heard)) >= 3)
    assert set(states(heard)) == {"disarmed"}
    assert not arm.commands


def test_armed_node_follows_the_plan_and_disarming_ends_it(bench, arm) -> None:
    arm.speed = 0.3
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: len(arm.commands) and arm.position[0] > 0.1)
    np.testing.assert_allclose(arm.position[1:], HOME[1:], atol=1e-6)
    assert bench.call(SetBool, "/safety/arm", data=False).success
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    bench.until(lambda: states(heard)[-1:] == ["disarmed"])  # it brakes first
    count, reports = len(arm.commands), len(heard)
    bench.until(lambda: len(heard) >= reports + 2)
    assert len(arm.commands) <= count + 1


@pytest.mark.parametrize("how", ["stale plan", "stop service"])
def test_a_moving_arm_stops_smoothly(bench, safety, arm, how, monkeypatch) -> None:
    sent: list[float] = []  # taken where they leave, so that a slow reader here loses none
    publisher = safety._commander.publisher
    publish = publisher.publish
    monkeypatch.setattr(publisher, "publish", lambda m: (sent.append(m.data[0]), publish(m)))
    arm.speed = 0.4
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: len(arm.commands) and arm.position[0] > 0.1)
    if how == "stale plan":
        arm.speed = None
    else:
        bench.call(Trigger, "/safety/stop")
    count = len(sent)
    bench.until(lambda: len(sent) > count + 60)
    moved = np.array(sent)
    assert np.ptp(moved[-10:]) < 1e-9, "at rest"
    change = np.abs(np.diff(moved, 2)) / PERIOD**2
    assert change.max() <= ARM.acceleration[0] * 1.01, "within the acceleration limit throughout"


def test_a_plan_with_nan_is_refused(bench, arm) -> None:
    arm.speed = float("nan")
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: len(arm.commands) > 20)
    np.testing.assert_allclose(arm.position, HOME, atol=1e-6)


def test_it_guesses_no_arm(bench) -> None:
    with pytest.raises(ConfigError, match="Set the parameter arm"):
        SafetyNode()


def test_arming_needs_joint_states(bench) -> None:
    bench.add(SafetyNode([NAMED]))
    refused = bench.call(SetBool, "/safety/arm", data=True)
    assert not refused.success
    assert "joint states" in refused.message


def test_auto_arm_tries_again_after_joints_that_came_before_the_clock(bench) -> None:
    flags = [NAMED, Parameter("auto_arm", value=True), Parameter("use_sim_time", value=True)]
    node, make = bench.add(SafetyNode(flags)), message_factory()
    joints = bench.node.create_publisher(JointStateMessage, ARM.topics.joint_states, SENSOR_SOURCE)
    clock = bench.node.create_publisher(Clock, "/clock", SENSOR_SOURCE)
    measured = make.joint_state(JointState(0.0, HOME, np.zeros(7)), ARM.joints)
    ticks = itertools.count()

    def tick() -> None:
        clock.publish(make.clock(5.0 + next(ticks) * PERIOD))

    bench.until(lambda: joints.publish(measured) or node._gate.joints is not None)
    bench.until(lambda: tick() or node.get_clock().now().nanoseconds > 5.5e9)
    assert node._gate.state is GateState.DISARMED
    late = make.joint_state(JointState(5.7, HOME, np.zeros(7)), ARM.joints)
    bench.until(lambda: joints.publish(late) or tick() or node._gate.state is GateState.ARMED)


def test_a_clock_that_stands_still_is_an_error_in_diagnostics(bench) -> None:
    bench.add(SafetyNode([NAMED, Parameter("use_sim_time", value=True)]))
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    bench.until(lambda: any("/clock" in message for message in states(heard)))
    assert heard[-1].status[0].level == DiagnosticStatus.ERROR


def controlled(bench: Bench, folder: Path, controller: str) -> Arm:
    """The arm with another controller, and a safety node for it."""
    settings = yaml.safe_load((share_dir() / "sim" / "arms" / "panda.yaml").read_text())
    path = folder / "arm.yaml"
    path.write_text(yaml.safe_dump(settings | {"controller": controller}))
    bench.add(SafetyNode([Parameter("arm", value=str(path))]))
    return Arm(bench)


def test_trajectory_controllers_get_trajectories(bench, tmp_path: Path) -> None:
    arm = controlled(bench, tmp_path, "joint_trajectory")
    heard = bench.listen(TrajectoryMessage, ARM.topics.trajectory, COMMAND)
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: heard)
    point = trajectory_from(heard[-1], ARM.joints)
    np.testing.assert_allclose(point.offsets, [PERIOD], atol=1e-9)
    np.testing.assert_allclose(point.positions[0], HOME, atol=1e-6)
    assert not arm.commands


def faults(node: SafetyNode) -> str:
    return ", ".join(node._output.reasons) if node._output.state is GateState.FAULT else ""


def test_a_second_commander_is_a_fault_that_names_it(bench, safety, arm) -> None:
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: arm.commands)
    other = bench.node.create_publisher(Float64MultiArray, ARM.topics.velocity, COMMAND)
    bench.until(lambda: faults(safety))
    assert f"'{bench.node.get_name()}' commands the arm, too, on {ARM.topics.velocity}" in faults(safety)
    assert not bench.call(SetBool, "/safety/arm", data=True).success
    bench.node.destroy_publisher(other)
    bench.until(lambda: not safety._watch.trouble())
    bench.call(Trigger, "/safety/reset")
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)


def test_two_planners_are_a_fault(bench, safety, arm) -> None:
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.node.create_publisher(TrajectoryMessage, PLAN_TOPIC, COMMAND)
    bench.until(lambda: faults(safety))
    assert "publish on /mpc/plan: only one may" in faults(safety)


def test_who_begins_to_publish_joint_states_after_arming_is_a_fault(bench, safety, arm) -> None:
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.add(Node("gripper")).create_publisher(JointStateMessage, ARM.topics.joint_states, SENSOR_SOURCE)
    bench.until(lambda: faults(safety))
    assert "'gripper' publishes joint states since the arm was armed" in faults(safety)
    bench.call(Trigger, "/safety/reset")
    bench.rest(3.0 * heartbeats.PERIOD)  # a person takes longer still
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    assert not safety._watch.trouble()


@pytest.mark.parametrize("armed", [True, False])
def test_a_flood_of_joint_states_is_a_fault_and_is_read_no_more_until_reset(
    bench, safety, arm, armed
) -> None:
    if armed:
        bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    else:
        bench.until(lambda: safety._resting)
    (inlet,) = [each for each in safety.inlets if each.topic == ARM.topics.joint_states]

    def flooded() -> bool:
        for _ in range(100):
            arm.send_joints()
        return bool(faults(safety))

    bench.until(flooded)
    assert "/joint_states is flooded" in faults(safety)
    assert inlet.subscription is None
    bench.call(Trigger, "/safety/reset")
    assert inlet.subscription is not None
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)


def test_a_disarmed_node_rests_and_serves_often_once_armed(bench, safety, arm, monkeypatch) -> None:
    served: list[float] = []
    step = safety._gate.step
    monkeypatch.setattr(safety._gate, "step", lambda now: served.append(time.monotonic()) or step(now))

    def period() -> float:
        served.clear()
        bench.until(lambda: len(served) > 20)
        return float(np.median(np.diff(served)))

    bench.until(lambda: safety._resting)
    resting = period()
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    assert 2.0 * period() < resting
    bench.call(SetBool, "/safety/arm", data=False)
    bench.until(lambda: safety._resting)
    bench.call(Trigger, "/safety/shadow")
    assert 2.0 * period() < resting


def test_in_shadow_nothing_is_sent_and_arming_is_a_call(bench) -> None:
    node = bench.add(SafetyNode([NAMED, Parameter("shadow", value=True)]))
    arm = Arm(bench)
    arm.speed = 0.3
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    bench.until(lambda: len(states(heard)) >= 3)
    assert {text.split(":")[0] for text in states(heard)} == {"shadow"}
    assert not arm.commands
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: len(arm.commands) and arm.position[0] > 0.05)
    assert bench.call(Trigger, "/safety/shadow").success
    bench.until(lambda: node._gate.state is GateState.SHADOW)


def test_velocity_controllers_get_velocities_and_zeros_at_the_end(bench, tmp_path: Path) -> None:
    arm = controlled(bench, tmp_path, "forward_velocity")
    heard = bench.listen(Float64MultiArray, ARM.topics.velocity, COMMAND)
    arm.commands = bench.listen(Float64MultiArray, ARM.topics.reference, COMMAND)
    arm.speed = 0.2
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: len(heard) and heard[-1].data[0] == pytest.approx(0.2, abs=0.05))
    arm.speed = None
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=False).success)
    bench.until(lambda: not any(heard[-1].data))
    assert max(np.abs(m.data).max() for m in heard) < 0.5
