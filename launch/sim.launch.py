"""Simulated arm and camera, safety node and mpc node; the mpc node is configured and activated here."""

from launch import Action, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, RegisterEventHandler, Shutdown, TimerAction
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

from loopwm_ros.config import usual_arm

PACKAGE = "loopwm_ros"
RETRY = 1.0  # [s] until the next attempt to activate, while sensors are not there yet


def arguments() -> list[DeclareLaunchArgument]:
    """Everything that can be set on the command line."""
    share = FindPackageShare(PACKAGE)
    arm, task = LaunchConfiguration("arm"), LaunchConfiguration("task")
    bundle = [PathJoinSubstitution([share, "models", arm]), "_", task]
    parameters = PathJoinSubstitution([share, "config", "parameters.yaml"])
    described = {
        "task": ("reach", "task, by name or path of a YAML file"),
        "arm": (usual_arm(), "arm, by name or path of a YAML file"),
        "bundle": (bundle, "folder of the model bundle"),
        "seed": ("0", "of the first episode"),
        "loops": ("0", "iterations of each transition; 0: early exit"),
        "auto_arm": ("true", "let the safety node arm by itself; false: call /safety/arm"),
        "blank_camera": ("false", "show the robot black images"),
        "use_sim_time": ("true", "take the time from /clock"),
        "parameters": (parameters, "YAML file of all node parameters"),
    }
    return [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in described.items()
    ]


def given(kind: type, *names: str) -> dict[str, ParameterValue]:
    """Parameters of the same names as launch arguments, all of one type."""
    return {name: ParameterValue(LaunchConfiguration(name), value_type=kind) for name in names}


def request(node: LifecycleNode, transition: int) -> EmitEvent:
    """Ask the lifecycle node for a transition."""
    event = ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
    return EmitEvent(event=event)


def reached(node: LifecycleNode, start: str, goal: str, *actions: Action) -> RegisterEventHandler:
    """Do `actions` when the node goes from state `start` to `goal`."""
    handler = OnStateTransition(
        target_lifecycle_node=node, start_state=start, goal_state=goal, entities=list(actions)
    )
    return RegisterEventHandler(handler)


def lifecycle(node: LifecycleNode) -> list[Action]:
    """Configure and activate; try again while sensors are missing, give up if configuring fails."""
    configure = request(node, Transition.TRANSITION_CONFIGURE)
    activate = request(node, Transition.TRANSITION_ACTIVATE)
    give_up = Shutdown(reason="the mpc node is not configured, see its error above")
    return [
        reached(node, "configuring", "inactive", activate),
        reached(node, "configuring", "unconfigured", give_up),
        reached(node, "errorprocessing", "unconfigured", give_up),
        reached(node, "activating", "inactive", TimerAction(period=RETRY, actions=[activate])),
        RegisterEventHandler(OnProcessStart(target_action=node, on_start=[configure])),
    ]


def generate_launch_description() -> LaunchDescription:
    """Nodes of a simulated cell."""
    shared = [LaunchConfiguration("parameters"), given(str, "arm"), given(bool, "use_sim_time")]
    scene = given(str, "task") | given(int, "seed")
    sim = Node(
        package=PACKAGE,
        executable="sim",
        name="sim",
        on_exit=Shutdown(reason="the sim node has ended"),
        output="screen",
        parameters=[*shared, scene, given(bool, "blank_camera"), {"use_sim_time": False}],
    )
    safety = Node(
        package=PACKAGE,
        executable="safety",
        name="safety",
        on_exit=Shutdown(reason="the safety node has ended"),
        output="screen",
        parameters=[*shared, given(bool, "auto_arm")],
    )
    mpc = LifecycleNode(
        package=PACKAGE,
        executable="mpc",
        name="mpc",
        on_exit=Shutdown(reason="the mpc node has ended"),
        namespace="",
        output="screen",
        parameters=[*shared, scene, given(str, "bundle"), given(int, "loops")],
    )
    return LaunchDescription([*arguments(), *lifecycle(mpc), sim, safety, mpc])
