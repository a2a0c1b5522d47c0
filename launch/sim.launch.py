"""Simulated arm and camera, safety node and mpc node; the mpc node is configured and activated here."""

from launch import Action, LaunchContext, LaunchDescription, Substitution
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

from loopwm_ros.config import load_task, usual_arm
from loopwm_ros.nodes.environment import stay_local

PACKAGE = "loopwm_ros"
RETRY = 1.0  # [s] until the next attempt to activate, while sensors are not there yet


class UsualArm(Substitution):
    """The arm that does the task where none is named."""

    def perform(self, context: LaunchContext) -> str:
        """Its name."""
        return usual_arm(load_task(LaunchConfiguration("task").perform(context)).name)


def arguments() -> list[DeclareLaunchArgument]:
    """Everything that can be set on the command line."""
    share = FindPackageShare(PACKAGE)
    arm, task = LaunchConfiguration("arm"), LaunchConfiguration("task")
    bundle = [PathJoinSubstitution([share, "models", arm]), "_", task]
    parameters = PathJoinSubstitution([share, "config", "parameters.yaml"])
    described = {
        "task": ("reach", "task, by name or path of a YAML file"),
        "arm": (UsualArm(), "arm, by name or path of a YAML file; default: the usual one of the task"),
        "bundle": (bundle, "folder of the model bundle"),
        "goal_source": ("seen", "seen, position or image; what is not seen the sim node gives, unmarked"),
        "goal_image": ("", "file of the goal image, which /mpc/capture_goal writes"),
        "world": ("randomised", "randomised or nominal"),
        "disturbance": ("none", "none, object_moved, goal_moved, camera_nudged, object_hidden, or all"),
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


def node(kind: type[Node], name: str, *parameters: object) -> Node:
    """One of our nodes with its parameters; when it ends, all end."""
    shared = [LaunchConfiguration("parameters"), given(str, "arm"), given(bool, "use_sim_time")]
    return kind(
        package=PACKAGE,
        executable=name,
        name=name,
        namespace="",
        output="screen",
        ros_arguments=["--enclave", f"/loopwm/{name}"],  # of config/security/policy.xml, where SROS 2 is on
        on_exit=Shutdown(reason=f"the {name} node has ended"),
        parameters=[*shared, *parameters],
    )


def generate_launch_description() -> LaunchDescription:
    """Nodes of a simulated cell."""
    stay_local()  # this process is a node, too
    scene = given(str, "task", "goal_source") | given(int, "seed")
    world = given(str, "world", "disturbance") | given(bool, "blank_camera")
    sim = node(Node, "sim", scene, world, {"use_sim_time": False})
    safety = node(Node, "safety", given(bool, "auto_arm"))
    mpc = node(LifecycleNode, "mpc", scene, given(str, "bundle", "goal_image"), given(int, "loops"))
    return LaunchDescription([*arguments(), *lifecycle(mpc), sim, safety, mpc])
