"""In shadow nothing is commanded and somebody else moves the arm: mpc predicts it, monitor confirms it."""

from __future__ import annotations

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage
from trajectory_msgs.msg import MultiDOFJointTrajectory

from loopwm_ros.messages import paths_from, trajectory_from
from loopwm_ros.nodes import monitor
from loopwm_ros.nodes.diagnostics import values_of
from loopwm_ros.nodes.monitor import MonitorNode
from loopwm_ros.nodes.mpc import MpcNode
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.prediction_topics import PREDICTION, READING
from loopwm_ros.nodes.qos import COMMAND, REPORT
from loopwm_ros.types import JointState
from tests.ros.test_mpc import ARM, HOME, Sensors

SPEED = 0.3  # of joint 1, by hand [rad/s]


class ByHand(Sensors):
    """Joint 1 swings to and fro, as a function of the stamp."""

    def at(self, stamp: float) -> np.ndarray:
        return HOME + np.eye(7)[0] * SPEED * np.sin(stamp)

    def _send_joints(self) -> None:
        stamp = self._now()
        self._joints.publish(
            self._make.joint_state(JointState(stamp, self.at(stamp), np.zeros(7)), ARM.joints)
        )


def test_a_motion_by_hand_is_predicted_and_nothing_is_commanded(bench, bundle) -> None:
    mpc = bench.add(MpcNode([Parameter("bundle", value=str(bundle.root)), Parameter("gap_steps", value=5)]))
    bench.add(MonitorNode([Parameter("arm", value=ARM.name)]))
    hand = ByHand(bench)
    reports = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    predictions = bench.listen(MultiDOFJointTrajectory, PREDICTION, REPORT)
    readings = bench.listen(MultiDOFJointTrajectory, READING, REPORT)
    plans = bench.listen(TrajectoryMessage, PLAN_TOPIC, COMMAND)
    commands = bench.listen(Float64MultiArray, ARM.topics.command, COMMAND)
    assert mpc.trigger_configure() == TransitionCallbackReturn.SUCCESS
    bench.until(lambda: hand.matched)
    bench.until(lambda: mpc.trigger_activate() == TransitionCallbackReturn.SUCCESS)

    def gap() -> str:
        found = [values for m in reports if (values := values_of(m, monitor.NAME))]
        return found[-1].get("tool.5.gap_m", "") if found else ""

    bench.until(gap)
    bench.until(lambda: any(travelled(p) > 0.04 for p in predictions))
    assert float(gap()) < 0.01, "under any other action it would be some centimetres off"
    assert readings[-1].header.frame_id == predictions[-1].header.frame_id == ARM.base_frame
    assert "tool" in paths_from(readings[-1]).points
    plan = trajectory_from(plans[-1], ARM.joints)
    assert np.max(np.abs(plan.positions[0] - hand.at(plan.stamp))) < 0.2, "from where the arm is"
    assert not commands
    assert mpc.trigger_deactivate() == TransitionCallbackReturn.SUCCESS


def travelled(message: MultiDOFJointTrajectory) -> float:
    path = paths_from(message).points["tool"]
    return float(np.linalg.norm(path[-1] - path[0]))
