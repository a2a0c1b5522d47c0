"""The sim node looks like an arm and a camera driver, and keeps truth to its score file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.config import load_arm
from loopwm_ros.data import topics
from loopwm_ros.messages import frame_from_compressed, frame_from_raw, joint_state_from, stamp_seconds
from loopwm_ros.nodes.qos import COMMAND, SENSOR
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.sim import SimNode
from loopwm_ros.types import JointTrajectory
from tests.ros.conftest import Bench

ARM = load_arm("panda")


def start(bench: Bench, **values: object) -> SimNode:
    return bench.add(SimNode([Parameter(name, value=value) for name, value in values.items()]))


def test_sensors_agree_with_the_world_file_and_with_each_other(bench) -> None:
    start(bench)
    joints = bench.listen(JointStateMessage, ARM.topics.joint_states, SENSOR)
    clock = bench.listen(Clock, "/clock", SENSOR)
    raw = bench.listen(Image, topics.IMAGE, SENSOR)
    jpeg = bench.listen(CompressedImage, topics.COMPRESSED, SENSOR)
    info = bench.listen(CameraInfo, topics.CAMERA_INFO, SENSOR)
    bench.until(lambda: len(joints) > 20 and len(clock) > 20 and min(map(len, (raw, jpeg, info))) > 3)
    assert (info[-1].width, info[-1].height) == (160, 120)
    assert info[-1].header.frame_id == raw[-1].header.frame_id == "camera_optical_frame"
    stamps = {frame_from_raw(m).stamp for m in raw} & {frame_from_compressed(m).stamp for m in jpeg}
    assert stamps
    assert frame_from_raw(raw[-1]).rgb.std() > 10, "a picture, not a plain colour"
    ages = [stamp_seconds(c.clock) for c in clock]
    assert (np.diff(ages) > 0).all()
    joint_state_from(joints[-1], ARM.joints)


def test_blank_camera_is_black(bench) -> None:
    start(bench, blank_camera=True)
    jpeg = bench.listen(CompressedImage, topics.COMPRESSED, SENSOR)
    bench.until(lambda: jpeg)
    assert frame_from_compressed(jpeg[0]).rgb.max() == 0


def go_by(bench: Bench, controller: str) -> None:
    """Send the arm 0.1 rad on with each joint, and wait until it is there."""
    joints = bench.listen(JointStateMessage, ARM.topics.joint_states, SENSOR)
    bench.until(lambda: joints)
    goal = joint_state_from(joints[-1], ARM.joints).position + 0.1
    make = message_factory()
    if controller == "forward command":
        kind, topic, message = Float64MultiArray, ARM.topics.command, make.command(goal)
    else:
        point = JointTrajectory(0.0, np.array([0.3]), goal[None], np.zeros((1, 7)))
        kind, topic = TrajectoryMessage, ARM.topics.trajectory
        message = make.trajectory(point, ARM.joints)
        if controller == "joint positions over time":
            message.points[0].velocities = []
    sender = bench.node.create_publisher(kind, topic, COMMAND)
    bench.until(sender.get_subscription_count)
    sender.publish(message)
    bench.until(lambda: np.abs(joint_state_from(joints[-1], ARM.joints).position - goal).max() < 0.01)


@pytest.mark.parametrize("controller", ["forward command", "joint trajectory", "joint positions over time"])
def test_arm_goes_where_either_controller_topic_says(bench, controller) -> None:
    start(bench)
    go_by(bench, controller)


def test_each_reset_is_the_next_episode_and_truth_goes_to_the_score_file(bench, tmp_path) -> None:
    path = tmp_path / "scores" / "score.jsonl"
    start(bench, seed=7, score_path=str(path))
    joints = bench.listen(JointStateMessage, ARM.topics.joint_states, SENSOR)
    clock = bench.listen(Clock, "/clock", SENSOR)
    bench.until(lambda: joints and clock)
    before = stamp_seconds(clock[-1].clock)
    response = bench.call(Trigger, "/sim/reset")
    assert response.success
    assert "seed 8" in response.message
    count = len(joints)
    bench.until(lambda: len(joints) > count + 3)
    assert stamp_seconds(clock[-1].clock) > before, "time does not jump back"
    assert not path.read_text(), "an episode begins with the first command"
    sender = bench.node.create_publisher(Float64MultiArray, ARM.topics.command, COMMAND)
    bench.until(sender.get_subscription_count)
    sender.publish(message_factory().command(joint_state_from(joints[-1], ARM.joints).position))
    bench.until(lambda: len(path.read_text().splitlines()) >= 3)
    line = json.loads(path.read_text().splitlines()[0])
    assert (line["episode"], line["seed"]) == (1, 8)
    assert line["distance"] > 0.025
    names = [name for name, _ in bench.node.get_topic_names_and_types()]
    assert not [name for name in names if "ball" in name or "label" in name or "score" in name]
