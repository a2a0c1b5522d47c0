"""The standin node looks like an arm and a camera driver on wall time, and obeys as the sim node does."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from loopwm_ros.config import load_arm
from loopwm_ros.data import topics
from loopwm_ros.errors import ConfigError
from loopwm_ros.messages import frame_from_compressed, joint_state_from
from loopwm_ros.nodes.qos import COMMAND, SENSOR
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.service_calls import ACTIVATE, CONFIGURE
from loopwm_ros.nodes.sim import SimNode
from loopwm_ros.nodes.standin import ASTRAY, StandinNode
from tests.ros.conftest import Bench
from tests.ros.test_sim import go_by

ARM = load_arm("panda")


def start(bench: Bench, kind: type = StandinNode, **values: object) -> StandinNode:
    return bench.add(kind([Parameter(name, value=value) for name, value in values.items()]))


def interface(node: StandinNode | SimNode) -> tuple[set, set]:
    """Topics that a node publishes, and those that it listens to, with their types."""
    name, graph = node.get_name(), node
    published = graph.get_publisher_names_and_types_by_node(name, "/")
    heard = graph.get_subscriber_names_and_types_by_node(name, "/")
    return {(t, *kinds) for t, kinds in published}, {(t, *kinds) for t, kinds in heard}


def test_it_speaks_the_sim_node_s_topics_without_a_clock(bench) -> None:
    sim = start(bench, SimNode)
    bench.until(lambda: interface(sim)[1])
    published, heard = interface(sim)
    standin = start(bench)
    clock = {("/clock", "rosgraph_msgs/msg/Clock")}
    assert clock <= published
    bench.until(lambda: interface(standin) == (published - clock, heard))


def test_stamps_are_wall_time_and_go_on_where_the_node_was_held_up(bench) -> None:
    standin = start(bench)
    joints = bench.listen(JointStateMessage, ARM.topics.joint_states, SENSOR)
    jpeg = bench.listen(CompressedImage, topics.COMPRESSED, SENSOR)
    info = bench.listen(CameraInfo, topics.CAMERA_INFO, SENSOR)
    bench.until(lambda: len(joints) > 20 and len(jpeg) > 3 and info)
    assert abs(joint_state_from(joints[-1], ARM.joints).stamp - time.time()) < ASTRAY + 1.0
    assert frame_from_compressed(jpeg[-1]).rgb.std() > 10, "a picture, not a plain colour"
    assert info[-1].header.frame_id == "camera_optical_frame"
    standin.cell.shift(-20.0)
    count = len(joints)
    bench.until(lambda: len(joints) > count + 3)
    assert abs(joint_state_from(joints[-1], ARM.joints).stamp - time.time()) < ASTRAY + 1.0
    stamps = np.array([joint_state_from(m, ARM.joints).stamp for m in joints])
    assert (np.diff(stamps) > 0).all()
    assert np.median(np.diff(stamps)) == pytest.approx(1 / 125.0, abs=1e-4)


@pytest.mark.parametrize("controller", ["forward command", "joint trajectory"])
def test_the_arm_goes_where_either_controller_topic_says(bench, controller) -> None:
    start(bench)
    go_by(bench, controller)


def test_each_reset_is_the_next_episode_and_truth_goes_to_the_score_file(bench, tmp_path) -> None:
    path = tmp_path / "score.jsonl"
    start(bench, seed=7, score_path=str(path))
    joints = bench.listen(JointStateMessage, ARM.topics.joint_states, SENSOR)
    bench.until(lambda: joints)
    assert "seed 8" in bench.call(Trigger, "/standin/reset").message
    sender = bench.node.create_publisher(Float64MultiArray, ARM.topics.command, COMMAND)
    bench.until(sender.get_subscription_count)
    sender.publish(message_factory().command(joint_state_from(joints[-1], ARM.joints).position))
    bench.until(lambda: len(path.read_text().splitlines()) >= 3)
    line = json.loads(path.read_text().splitlines()[0])
    assert (line["episode"], line["seed"]) == (1, 8)
    stamps = [joint_state_from(m, ARM.joints).stamp for m in joints]
    assert (np.diff(stamps) > 0).all(), "time does not jump back"
    names = [name for name, _ in bench.node.get_topic_names_and_types()]
    assert not [name for name in names if "ball" in name or "label" in name or "score" in name]


def test_simulated_time_is_refused(bench) -> None:
    with pytest.raises(ConfigError, match="runs on wall time"):
        start(bench, use_sim_time=True)


def test_the_model_drives_it_through_the_safety_node_on_wall_time(bench, bundle, tmp_path) -> None:
    """All three as processes, without a clock: planned, let through, and felt by the joints."""
    scene = {"arm": "panda", "task": "reach"}
    bench.start("standin", **scene)
    bench.start("safety", arm="panda")
    bench.start("mpc", bundle=str(bundle.root), trace_path=str(tmp_path / "trace.jsonl"), **scene)
    joints = bench.listen(JointStateMessage, ARM.topics.joint_states, SENSOR)
    commands = bench.listen(Float64MultiArray, ARM.topics.command, COMMAND)
    bench.until(lambda: joints)
    for number in (CONFIGURE, ACTIVATE):
        bench.transition("mpc", number)
    bench.until(lambda: bench.call(SetBool, "/safety/arm", data=True).success)
    first = joint_state_from(joints[-1], ARM.joints).position
    bench.until(lambda: np.abs(joint_state_from(joints[-1], ARM.joints).position - first).max() > 0.05)
    assert commands
    bench.until(lambda: '"plan"' in (tmp_path / "trace.jsonl").read_text())
