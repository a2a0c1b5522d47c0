"""The monitor node on synthetic topics: diagnostics, markers, and the heartbeat for the safety node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage
from trajectory_msgs.msg import MultiDOFJointTrajectory
from visualization_msgs.msg import MarkerArray

from loopwm_ros.config import load_arm
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.trajectory import hold
from loopwm_ros.errors import CertificateError, ConfigError, MismatchError
from loopwm_ros.nodes.diagnostics import values_of
from loopwm_ros.nodes.monitor import NAME, MonitorNode
from loopwm_ros.nodes.monitor_topics import MARKER_TOPIC, SPEED_TOPIC
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.prediction_topics import PREDICTION, READING
from loopwm_ros.nodes.qos import COMMAND, REPORT, SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.types import JointState, PointPaths
from loopwm_ros.validation.certificate import write_certificate
from tests.certificates import certificate
from tests.ros.conftest import Bench

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)
NAMED = Parameter("arm", value=ARM.name)


class World:
    """An arm at rest, and an mpc that imagines its tool `gap` [m] beside it; None: it sends nothing."""

    def __init__(self, bench: Bench) -> None:
        self._node, self._make = bench.node, message_factory()
        create = bench.node.create_publisher
        self._joints = create(JointStateMessage, ARM.topics.joint_states, SENSOR_SOURCE)
        self._plans = create(TrajectoryMessage, PLAN_TOPIC, COMMAND)
        self._predictions = create(MultiDOFJointTrajectory, PREDICTION, REPORT)
        self._readings = create(MultiDOFJointTrajectory, READING, REPORT)
        self._tool = Kinematics(ARM).tool_position(HOME)
        self.gap: float | None = 0.0
        self.frame = ARM.base_frame
        bench.node.create_timer(0.01, self._send_joints)
        bench.node.create_timer(0.05, self._send_plan)
        self.scales = bench.listen(Float64, SPEED_TOPIC, COMMAND)
        self.reports = bench.listen(DiagnosticArray, "/diagnostics", REPORT)

    def _now(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9

    def _send_joints(self) -> None:
        self._joints.publish(self._make.joint_state(JointState(self._now(), HOME, np.zeros(7)), ARM.joints))

    def _send_plan(self) -> None:
        now = self._now()
        self._plans.publish(self._make.trajectory(hold(now, HOME), ARM.joints))
        reading = PointPaths(now - 0.05, np.zeros(1), {"cube": np.array([[0.5, 0.1, 0.03]])})
        self._readings.publish(self._make.paths(reading, self.frame))
        if self.gap is not None:
            path = np.tile(self._tool + np.array([self.gap, 0.0, 0.0]), (2, 1))
            cube = np.tile((0.5, 0.1, 0.03), (2, 1))
            paths = PointPaths(now - 0.25, np.array([0.1, 0.2]), {"tool": path, "cube": cube})
            self._predictions.publish(self._make.paths(paths, self.frame))

    def values(self) -> dict[str, str]:
        found = [values for m in self.reports if (values := values_of(m, NAME)) is not None]
        return found[-1] if found else {}

    def status(self) -> DiagnosticStatus | None:
        found = [status for m in self.reports for status in m.status if status.name == NAME]
        return found[-1] if found else None


@pytest.fixture
def validation(tmp_path: Path) -> Parameter:
    """One limit: the tool, one transition ahead, 0.02 m."""
    return Parameter("validation", value=str(write_certificate(tmp_path / "validation.json", certificate())))


def test_it_slows_and_stops_beyond_what_validation_saw_and_recovers(bench, validation) -> None:
    bench.add(MonitorNode([NAMED, validation]))
    world = World(bench)
    bench.until(lambda: world.values().get("tool.1.within") == "true")
    assert world.scales[-1].data == 1.0
    assert float(world.values()["tool.1.limit_m"]) == 0.02
    assert float(world.values()["tool.1.gap_m"]) < 1e-3
    assert world.values()["tool.2.within"] == ""
    assert "cube.1.gap_m" in world.values()
    world.gap = 0.03
    bench.until(lambda: world.scales[-1].data == pytest.approx(0.5, abs=0.01))
    bench.until(lambda: world.status().level == DiagnosticStatus.WARN)
    assert "slowed: tool, 1 ahead" in world.status().message
    world.gap = 0.1
    bench.until(lambda: world.scales[-1].data == 0.0)
    bench.until(lambda: world.status().level == DiagnosticStatus.ERROR)
    assert world.values()["tool.1.within"] == "false"
    world.gap = 0.0
    bench.until(lambda: world.scales[-1].data == 1.0)
    assert not any(np.isnan(scale.data) for scale in world.scales)


def test_missing_and_unusable_predictions_stop_the_arm(bench, validation) -> None:
    bench.add(MonitorNode([NAMED, validation, Parameter("timeout", value=0.3)]))
    world = World(bench)
    bench.until(lambda: "tool.1.gap_m" in world.values())
    world.gap = None
    bench.until(lambda: world.scales[-1].data == 0.0)
    bench.until(lambda: "sends no predictions" in world.status().message)
    world.gap = 0.0
    bench.until(lambda: world.scales[-1].data == 1.0)
    world.frame = "elsewhere"
    bench.until(lambda: world.scales[-1].data == 0.0)


def test_without_a_validation_it_reports_and_draws(bench) -> None:
    bench.add(MonitorNode([NAMED]))
    world = World(bench)
    drawn = bench.listen(MarkerArray, MARKER_TOPIC, REPORT)
    world.gap = 0.5
    bench.until(lambda: world.values().get("tool.2.gap_m", "").startswith("0.5"))
    assert "only reported" in world.status().message
    assert world.scales[-1].data == 1.0
    bench.until(lambda: drawn)
    assert {marker.ns for marker in drawn[-1].markers} >= {"hindsight_tool", "actual_tool", "hindsight_cube"}
    assert drawn[-1].markers[0].header.frame_id == ARM.base_frame


def test_it_starts_with_nothing_that_it_cannot_trust(bench, tmp_path, validation) -> None:
    with pytest.raises(ConfigError, match="which arm"):
        MonitorNode()
    with pytest.raises(CertificateError, match="no validation at"):
        MonitorNode([NAMED, Parameter("validation", value=str(tmp_path / "none.json"))])
    with pytest.raises(MismatchError, match="is of arm 'panda', which is not this arm 'ur5e'"):
        MonitorNode([Parameter("arm", value="ur5e"), validation])
