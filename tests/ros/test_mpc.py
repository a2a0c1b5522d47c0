"""The mpc node refuses what it cannot use, and plans from what it can."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Log
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.bundle import Bundle
from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.data import topics
from loopwm_ros.messages import trajectory_from
from loopwm_ros.nodes.mpc import MpcNode
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.qos import COMMAND, REPORT, SENSOR_SOURCE
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import JointState
from tests.bundles import make_bundle
from tests.ros.conftest import Bench
from tests.unit.test_nodes_mpc_camera import hand_eye

WARN = 30  # of rcl_interfaces/Log, whose constants are bytes in some distributions
ARM = load_arm("panda")
HOME = np.asarray(ARM.home)
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class Sensors:
    """Publishes joints at 50 Hz and images at 20 Hz, right or wrong in one way."""

    def __init__(
        self,
        bench: Bench,
        names: tuple[str, ...] = ARM.joints,
        position: np.ndarray = HOME,
        size: tuple[int, int] = (160, 120),
    ) -> None:
        self._bench, self._make = bench, message_factory()
        self._names, self._position = names, position
        self._pictures = itertools.cycle(
            encode_image(np.full((size[1], size[0], 3), grey, dtype=np.uint8)) for grey in (90, 110)
        )
        self._joints = bench.node.create_publisher(JointStateMessage, "/joint_states", SENSOR_SOURCE)
        self._images = bench.node.create_publisher(CompressedImage, topics.COMPRESSED, SENSOR_SOURCE)
        bench.node.create_timer(0.02, self._send_joints)
        bench.node.create_timer(0.05, self._send_image)

    @property
    def matched(self) -> bool:
        return bool(self._joints.get_subscription_count() and self._images.get_subscription_count())

    def _now(self) -> float:
        return self._bench.node.get_clock().now().nanoseconds * 1e-9

    def _send_joints(self) -> None:
        joints = JointState(self._now(), self._position, np.zeros(len(self._names)))
        self._joints.publish(self._make.joint_state(joints, self._names))

    def _send_image(self) -> None:
        self._images.publish(self._make.compressed_image(self._now(), next(self._pictures), "camera"))


@pytest.fixture
def mpc(bench: Bench, bundle: Bundle) -> Iterator[MpcNode]:
    node = bench.add(MpcNode())
    node.set_parameters([Parameter("bundle", value=str(bundle.root))])
    return node


def status(bench: Bench, heard: list[DiagnosticArray], text: str) -> bool:
    return any(text in s.message for m in heard for s in m.status if s.name == "mpc")


def altered(root: Path, bundle: Bundle) -> Path:
    shutil.copytree(bundle.root, root)
    data = bytearray((root / "coda.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (root / "coda.onnx").write_bytes(data)
    return root


def other_order(root: Path, _: Bundle) -> Path:
    return make_bundle(root, ARM, load_task("reach"), joints=ARM.joints[::-1]).root


def other_period(root: Path, _: Bundle) -> Path:
    return make_bundle(root, ARM, load_task("reach"), control_period=0.04, stride=3).root


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (altered, "coda.onnx does not match its manifest"),
        (other_order, "names and order must be equal"),
        (other_period, "a control period of 50 ms does not go with the model: choose 40 ms"),
        (lambda root, _: root, "is not a model bundle"),
    ],
    ids=["altered", "joint order", "control period", "nothing there"],
)
def test_configure_refuses_a_bundle_that_does_not_fit(bench, mpc, bundle, tmp_path, make, said) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    mpc.set_parameters([Parameter("bundle", value=str(make(tmp_path / "other", bundle)))])
    assert mpc.trigger_configure() == FAILURE
    bench.until(lambda: status(bench, heard, said))
    mpc.set_parameters([Parameter("bundle", value=str(bundle.root))])
    assert mpc.trigger_configure() == SUCCESS, "the node can be configured once the cause is mended"


WITH_NAN = np.where(np.arange(len(HOME)) == 3, np.nan, HOME)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "/joint_states: nothing has arrived"),
        ({"names": ARM.joints[:-1], "position": HOME[:-1]}, "joint state lacks panda_joint7"),
        ({"position": WITH_NAN}, "NaN"),
        ({"size": (320, 240)}, "camera image is 320x240; the bundle was trained for 160x120"),
    ],
    ids=["no sensors", "joint missing", "NaN", "camera size"],
)
def test_activate_refuses_unusable_sensors(bench, mpc, wrong, said) -> None:
    assert mpc.trigger_configure() == SUCCESS
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    plans = bench.listen(TrajectoryMessage, PLAN_TOPIC, COMMAND)
    if wrong is not None:
        sensors = Sensors(bench, **wrong)
        bench.until(lambda: sensors.matched)
        bench.until(lambda: len(heard) >= 2)

    def refused() -> bool:  # for this reason, once the sensors have been heard
        assert mpc.trigger_activate() == FAILURE
        return status(bench, heard, said)

    bench.until(refused)
    assert not plans


def activate(bench: Bench, mpc: MpcNode) -> None:
    assert mpc.trigger_configure() == SUCCESS
    sensors = Sensors(bench)
    bench.until(lambda: sensors.matched)
    bench.until(lambda: mpc.trigger_activate() == SUCCESS)


def test_active_node_plans_from_the_measured_joints_and_stops_on_deactivation(bench, mpc) -> None:
    plans = bench.listen(TrajectoryMessage, PLAN_TOPIC, COMMAND)
    activate(bench, mpc)
    bench.until(lambda: len(plans) >= 5)
    plan = trajectory_from(plans[-1], ARM.joints)
    np.testing.assert_allclose(plan.positions[0], HOME, atol=1e-6)
    assert not plan.velocities[-1].any(), "a plan ends at rest"
    assert mpc.trigger_deactivate() == SUCCESS
    count = len(plans)
    bench.until(lambda: len(plans) > count)
    last = trajectory_from(plans[-1], ARM.joints)
    assert not last.velocities[-1].any()
    assert mpc.trigger_cleanup() == SUCCESS


def test_what_takes_long_at_the_start_does_not_delay_the_schedule(bench, mpc, monkeypatch) -> None:
    read: list[float] = []
    clocks = mpc._clocks

    def slow() -> tuple[float, float]:
        """Each reading is an hour after the one before: as if something had taken that long between them."""
        read.append(3600.0 * (len(read) + 1))
        return read[-1], clocks()[1]

    assert mpc.trigger_configure() == SUCCESS
    monkeypatch.setattr(mpc, "_clocks", slow)
    still = JointState(0.0, HOME, np.zeros(len(HOME)))
    monkeypatch.setattr(mpc._engine.inbox, "check", lambda _steady, _ros: still)
    assert mpc.trigger_activate() == SUCCESS
    assert len(read) > 1
    assert mpc._engine._schedule._steady == read[-1] + mpc.get_parameter("control_period").value


def test_it_looks_for_messages_less_often_while_it_does_not_plan(bench, mpc) -> None:
    periods = [polled(mpc)]
    activate(bench, mpc)
    periods.append(polled(mpc))
    assert mpc.trigger_deactivate() == SUCCESS
    periods.append(polled(mpc))
    assert periods == [mpc.rest_period, mpc.poll_period, mpc.rest_period]


def polled(mpc: MpcNode) -> float:
    assert mpc._polling in mpc.timers
    return mpc._polling.timer_period_ns * 1e-9


def test_a_calibrated_camera_of_another_resolution_is_planned_with_until_its_driver_contradicts(
    bench, mpc, tmp_path
) -> None:
    camera = ARM.camera
    double = {name: 2 * getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    write_camera_info(tmp_path / "camera.yaml", CameraModel(**double), "camera")
    mpc.set_parameters([Parameter("camera_info", value=str(tmp_path / "camera.yaml"))])
    assert mpc.trigger_configure() == SUCCESS
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    plans = bench.listen(TrajectoryMessage, PLAN_TOPIC, COMMAND)
    infos = bench.node.create_publisher(CameraInfo, topics.CAMERA_INFO, SENSOR_SOURCE)
    sensors = Sensors(bench, size=(320, 240))
    bench.until(lambda: sensors.matched and infos.get_subscription_count())
    bench.until(lambda: mpc.trigger_activate() == SUCCESS)
    bench.until(lambda: len(plans) >= 5)
    infos.publish(message_factory().camera_info(1.0, camera))
    bench.until(lambda: status(bench, heard, "another size; width 320 against 160"))
    assert mpc.trigger_deactivate() == SUCCESS
    assert mpc.trigger_activate() == FAILURE


def test_offsets_that_it_does_not_use_are_a_warning_when_it_is_configured(bench, mpc, tmp_path) -> None:
    logs = bench.listen(Log, "/rosout", REPORT)
    mpc.set_parameters([Parameter("hand_eye", value=hand_eye(tmp_path, time_offset=0.02))])
    assert mpc.trigger_configure() == TransitionCallbackReturn.SUCCESS
    bench.until(lambda: any("time_offset +20.0 ms" in message.msg for message in logs))
    (said,) = [message for message in logs if "time_offset" in message.msg]
    assert said.level == WARN


def test_parameters_are_fixed_while_configured(bench, mpc) -> None:
    (wrong,) = mpc.set_parameters([Parameter("plan_share", value=5.0)])
    assert not wrong.successful
    assert mpc.trigger_configure() == SUCCESS
    (refused,) = mpc.set_parameters([Parameter("horizon", value=4)])
    assert not refused.successful
    assert "clean it up first" in refused.reason
    assert mpc.trigger_cleanup() == SUCCESS
    (accepted,) = mpc.set_parameters([Parameter("horizon", value=4)])
    assert accepted.successful


def test_trace_file_counts_each_period_once(bench, mpc, tmp_path) -> None:
    path = tmp_path / "trace.jsonl"
    mpc.set_parameters([Parameter("trace_path", value=str(path))])
    plans = bench.listen(TrajectoryMessage, PLAN_TOPIC, COMMAND)
    activate(bench, mpc)
    bench.until(lambda: len(plans) >= 8)
    mpc.trigger_deactivate()
    lines = path.read_text().splitlines()
    cycles = [line for line in lines if '"cycle"' in line]
    assert len(cycles) >= 8
    assert len(set(cycles)) == len(cycles)
    assert any('"plan"' in line for line in lines)
