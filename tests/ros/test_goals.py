"""A goal over ROS: as a position, as an image, or what the camera shows now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pybullet
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage
from visualization_msgs.msg import MarkerArray

from loopwm_ros.bundle import Bundle
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.nodes import goal_topics
from loopwm_ros.nodes.diagnostics import values_of
from loopwm_ros.nodes.mpc import MpcNode
from loopwm_ros.nodes.qos import COMMAND, LATCHED, REPORT
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.nodes.sim import SimNode
from loopwm_ros.processing.images import encode_image
from loopwm_ros.types import JointState
from tests.bundles import make_bundle
from tests.ros.conftest import Bench
from tests.ros.test_mpc import Sensors, status

ARM, TASK = load_arm("panda_rod"), load_task("push")
KINEMATICS = Kinematics(ARM)
START = KINEMATICS.reach(KINEMATICS.home, np.array([0.45, 0.0, 0.03]))  # in the task's plane
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
GOAL = np.array([0.5, 0.1, 0.0])
NEAR = 0.03  # centroid of a cube's pixels to its centre [m]


@pytest.fixture(scope="session")
def push_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("models") / "panda_rod_push", ARM, TASK)


def node(bench: Bench, kind: type, **values: object) -> MpcNode | SimNode:
    shared = {"arm": ARM.name, "task": TASK.name}
    return bench.add(kind([Parameter(name, value=value) for name, value in (shared | values).items()]))


def goal_of(heard: list[DiagnosticArray]) -> np.ndarray:
    """The goal that the mpc node said last, (3,); empty where it had none."""
    values = [v for v in (values_of(m, "mpc") for m in heard) if v and "goal" in v]
    return np.array([float(x) for x in values[-1]["goal"].split()]) if values else np.empty(0)


def is_near(heard: list[DiagnosticArray], place: np.ndarray) -> bool:
    goal = goal_of(heard)
    return len(goal) == 3 and bool(np.linalg.norm((goal - place)[:2]) < NEAR)


def test_the_tool_does_not_come_down_from_above(bench, push_bundle) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    mpc = node(bench, MpcNode, bundle=str(push_bundle.root))
    assert mpc.trigger_configure() == SUCCESS
    sensors = Sensors(bench, position=KINEMATICS.home)
    bench.until(lambda: sensors.matched)
    bench.until(
        lambda: mpc.trigger_activate() == FAILURE and status(bench, heard, "the task keeps it at 0.03 m")
    )


def test_a_position_may_come_late_be_wrong_once_and_move(bench, push_bundle) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    mpc = node(bench, MpcNode, bundle=str(push_bundle.root), goal_source="position")
    assert mpc.trigger_configure() == SUCCESS
    bench.until(lambda: status(bench, heard, "inactive, no goal: nothing has come on /mpc/goal"))
    sensors = Sensors(bench, position=START)
    bench.until(lambda: sensors.matched)
    bench.until(lambda: mpc.trigger_activate() == SUCCESS)
    bench.until(lambda: status(bench, heard, "active, no goal: nothing has come on /mpc/goal"))
    sender = bench.node.create_publisher(PointStamped, goal_topics.POSITION, LATCHED)
    make = message_factory()
    sender.publish(make.point(0.0, GOAL, "world"))
    bench.until(lambda: status(bench, heard, "frame 'world'; expected 'panda_link0'"))
    assert not goal_of(heard).size
    sender.publish(make.point(0.0, GOAL, ARM.base_frame))
    bench.until(lambda: is_near(heard, GOAL))
    sender.publish(make.point(0.0, GOAL * [1.0, -1.0, 1.0], ARM.base_frame))
    bench.until(lambda: is_near(heard, GOAL * [1.0, -1.0, 1.0]))
    sender.publish(make.point(0.0, GOAL * [3.0, 1.0, 1.0], ARM.base_frame))
    bench.until(lambda: status(bench, heard, "active, goal refused: /mpc/goal: the goal is at x 1.500"))
    assert is_near(heard, GOAL * [1.0, -1.0, 1.0]), "a goal that is refused changes nothing"
    mpc.trigger_deactivate()


def test_a_goal_that_is_seen_is_not_gone_for_where_it_is_to_be_given(bench, push_bundle) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    node(bench, SimNode, seed=3)  # the mark is in sight
    mpc = node(bench, MpcNode, bundle=str(push_bundle.root), goal_source="position", use_sim_time=True)
    assert mpc.trigger_configure() == SUCCESS
    bench.until(lambda: mpc.trigger_activate() == SUCCESS)
    plans = bench.listen(TrajectoryMessage, "/mpc/plan", COMMAND)
    bench.until(lambda: len(plans) > 20)
    heard.clear()
    bench.until(lambda: status(bench, heard, "active, no goal: nothing has come on /mpc/goal"))
    assert not goal_of(heard).size
    travelled = [np.ptp([point.positions for point in plan.points], axis=0).max() for plan in plans]
    assert max(travelled) < 0.01, "it holds"
    mpc.trigger_deactivate()


def test_the_simulation_s_goal_image_shows_where_the_cube_should_be(bench, push_bundle) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    sim = node(bench, SimNode, goal_source="image", seed=3)
    values = {"bundle": str(push_bundle.root), "goal_source": "image", "use_sim_time": True}
    mpc = node(bench, MpcNode, **values)
    assert mpc.trigger_configure() == SUCCESS, "the goal may be there before the mpc node is"
    bench.until(lambda: mpc.trigger_activate() == SUCCESS)
    truth = sim._cell.truth().points
    bench.until(lambda: is_near(heard, truth["goal"]))
    assert np.linalg.norm((goal_of(heard) - truth["cube"])[:2]) > NEAR
    bench.call(Trigger, "/sim/reset")
    bench.until(lambda: is_near(heard, sim._cell.truth().points["goal"]))
    mpc.trigger_deactivate()


def test_what_the_camera_shows_becomes_the_goal_and_is_kept_for_later(bench, push_bundle, tmp_path) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    sim = node(bench, SimNode, seed=4)
    file = tmp_path / "goals" / "left.png"
    values = {"bundle": str(push_bundle.root), "goal_source": "image", "goal_image": str(file)}
    mpc = node(bench, MpcNode, use_sim_time=True, check_camera=False, **values)
    assert "not configured" in bench.call(Trigger, "/mpc/capture_goal").message
    assert mpc.trigger_configure() == SUCCESS
    bench.until(lambda: status(bench, heard, "no goal: call ~/capture_goal"))
    bench.until(lambda: mpc.trigger_activate() == SUCCESS)
    answer = bench.call(Trigger, "/mpc/capture_goal")
    assert answer.success, answer.message
    assert str(file) in answer.message
    cube = sim._cell.truth().points["cube"]
    bench.until(lambda: is_near(heard, cube))
    mpc.trigger_deactivate()
    mpc.trigger_cleanup()
    sim.set_parameters([Parameter("blank_camera", value=True)])
    assert mpc.trigger_configure() == SUCCESS, "the goal comes from its file"
    bench.until(lambda: mpc.trigger_activate() == SUCCESS)
    heard.clear()
    bench.until(lambda: is_near(heard, cube))
    mpc.trigger_deactivate()
    refused = bench.call(Trigger, "/mpc/capture_goal")
    assert not refused.success
    assert "does not show 'cube' clearly" in refused.message


def test_an_image_needs_its_joints_and_the_bundle_s_size(bench, push_bundle) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    mpc = node(bench, MpcNode, bundle=str(push_bundle.root), goal_source="image")
    assert mpc.trigger_configure() == SUCCESS
    images = bench.node.create_publisher(CompressedImage, goal_topics.IMAGE, LATCHED)
    joints = bench.node.create_publisher(JointStateMessage, goal_topics.JOINTS, LATCHED)
    make = message_factory()
    jpeg = encode_image(np.zeros((240, 320, 3), dtype=np.uint8))
    images.publish(make.compressed_image(5.0, jpeg, "camera"))
    bench.until(lambda: status(bench, heard, "no joint state of the image's stamp, 5.000000 s, has come"))
    images.publish(make.compressed_image(5.0, jpeg, "camera"))
    joints.publish(make.joint_state(JointState(5.0, START, np.zeros_like(START)), ARM.joints))
    bench.until(lambda: status(bench, heard, "320x240; expected 160x120, as the camera's"))


def test_a_task_that_moves_nothing_has_no_goal_image(bench, bundle) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    mpc = node(bench, MpcNode, bundle=str(bundle.root), arm="panda", task="reach", goal_source="image")
    assert mpc.trigger_configure() == FAILURE
    bench.until(lambda: status(bench, heard, "task 'reach' moves no object"))


def test_a_goal_that_is_moved_is_given_anew_and_its_mark_stays_unseen(bench) -> None:
    goals = bench.listen(PointStamped, goal_topics.POSITION, LATCHED)
    sim = node(bench, SimNode, goal_source="position", disturbance="goal_moved", disturbance_at=0.2, seed=5)
    bench.until(lambda: goals)
    first = goals[0].point
    expected = sim._cell.truth().points["goal"]
    assert (first.x, first.y, goals[0].header.frame_id) == (*expected[:2], ARM.base_frame)
    sender = bench.node.create_publisher(type(message_factory().command(START)), ARM.topics.command, 1)
    bench.until(sender.get_subscription_count)
    sender.publish(message_factory().command(START))
    bench.until(lambda: len(goals) > 1)
    moved = np.hypot(goals[1].point.x - first.x, goals[1].point.y - first.y)
    assert 0.05 <= moved <= 0.12
    mark = sim._cell._scene.things["goal"]
    assert pybullet.getBasePositionAndOrientation(mark, sim._cell.client)[0][2] < -0.5, "below the table"


def test_a_goal_image_file_that_does_not_fit_is_named(bench, push_bundle, tmp_path: Path) -> None:
    heard = bench.listen(DiagnosticArray, "/diagnostics", REPORT)
    file = tmp_path / "goal.jpg"
    file.write_bytes(encode_image(np.zeros((120, 160, 3), dtype=np.uint8)))
    values = {"bundle": str(push_bundle.root), "goal_source": "image", "goal_image": str(file)}
    mpc = node(bench, MpcNode, **values)
    assert mpc.trigger_configure() == FAILURE
    bench.until(lambda: status(bench, heard, "cannot read picture"))
    file.with_suffix(".yaml").write_text("joints: {panda_joint1: 0.0}\n")
    assert mpc.trigger_configure() == FAILURE
    bench.until(lambda: status(bench, heard, "goal.yaml lacks panda_joint2"))


def test_viewers_see_the_imagined_paths_of_tool_and_cube_and_the_goal(bench, push_bundle) -> None:
    mpc = node(bench, MpcNode, bundle=str(push_bundle.root), goal_source="position")
    heard = bench.listen(MarkerArray, "/mpc/imagined", REPORT)
    sender = bench.node.create_publisher(PointStamped, goal_topics.POSITION, LATCHED)
    sender.publish(message_factory().point(0.0, GOAL, ARM.base_frame))
    assert mpc.trigger_configure() == SUCCESS
    sensors = Sensors(bench, position=START)
    bench.until(lambda: sensors.matched)
    bench.until(lambda: mpc.trigger_activate() == SUCCESS)
    bench.until(lambda: heard)
    mpc.trigger_deactivate()
    tool, cube, goal = heard[0].markers
    assert (tool.ns, cube.ns, goal.ns) == ("imagined_tool", "imagined_cube", "goal")
    assert len(tool.points) == len(cube.points)
    assert (goal.pose.position.x, goal.pose.position.y) == (GOAL[0], GOAL[1])
