"""Each controller that an arm file may name: a plan goes through safety, and the stand-in arm arrives."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState as JointStateMessage
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.config import load_arm, share_dir
from loopwm_ros.config.arm import ControllerKind
from loopwm_ros.messages import joint_state_from
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.qos import COMMAND, SENSOR
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.safety import SafetyNode
from loopwm_ros.nodes.standin import StandinNode
from loopwm_ros.types import JointTrajectory

ARM = load_arm("panda")
SPEED = 0.4  # of the plans [rad/s]
MOVE = np.array([0.3, 0.0, 0.0, 0.2, 0.0, 0.0, -0.3])  # [rad]
NEAR = 0.01  # [rad]


@pytest.mark.parametrize("controller", get_args(ControllerKind))
def test_a_plan_moves_the_stand_in_through_each_controller(bench, tmp_path: Path, controller: str) -> None:
    settings = yaml.safe_load((share_dir() / "sim" / "arms" / "panda.yaml").read_text())
    path = tmp_path / "arm.yaml"
    path.write_text(yaml.safe_dump(settings | {"controller": controller}))
    bench.add(StandinNode([Parameter("arm", value=str(path))]))
    bench.add(SafetyNode([Parameter("arm", value=str(path))]))
    joints = bench.listen(JointStateMessage, ARM.topics.joint_states, SENSOR)
    plans = bench.node.create_publisher(TrajectoryMessage, PLAN_TOPIC, COMMAND)
    bench.until(lambda: joints)
    make = message_factory()

    def position() -> np.ndarray:
        return joint_state_from(joints[-1], ARM.joints).position

    goal = position() + MOVE

    def plan() -> None:
        there = max(0.3, float(np.abs(goal - position()).max()) / SPEED)
        path = JointTrajectory(
            bench.node.get_clock().now().nanoseconds * 1e-9,
            np.array([0.0, there]),
            np.array([position(), goal]),
            np.zeros((2, len(goal))),
        )
        plans.publish(make.trajectory(path, ARM.joints))

    bench.node.create_timer(0.05, plan)
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    bench.until(lambda: np.abs(position() - goal).max() < NEAR)
