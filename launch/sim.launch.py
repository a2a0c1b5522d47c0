"""Simulated arm and camera, safety node and mpc node; the mpc node is configured and activated here."""

from launch import LaunchContext, LaunchDescription, Substitution
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.substitutions import FindPackageShare

from loopwm_ros.config import load_task, usual_arm
from loopwm_ros.nodes.environment import stay_local
from loopwm_ros.nodes.launching import PACKAGE, PARAMETERS, declared, given, lifecycle, node


class UsualArm(Substitution):
    """The arm that does the task where none is named."""

    def perform(self, context: LaunchContext) -> str:
        """Its name."""
        return usual_arm(load_task(LaunchConfiguration("task").perform(context)).name)


def generate_launch_description() -> LaunchDescription:
    """Nodes of a simulated cell."""
    stay_local()  # this process is a node, too
    models = PathJoinSubstitution([FindPackageShare(PACKAGE), "models", LaunchConfiguration("arm")])
    described = {
        "task": ("reach", "task, by name or path of a YAML file"),
        "arm": (UsualArm(), "arm, by name or path of a YAML file; default: the usual one of the task"),
        "bundle": ([models, "_", LaunchConfiguration("task")], "folder of the model bundle"),
        "goal_source": ("seen", "seen, position or image; what is not seen the sim node gives, unmarked"),
        "goal_image": ("", "file of the goal image, which /mpc/capture_goal writes"),
        "world": ("randomised", "randomised or nominal"),
        "disturbance": ("none", "none, object_moved, goal_moved, camera_nudged, object_hidden, or all"),
        "seed": ("0", "of the first episode"),
        "loops": ("0", "iterations of each transition; 0: early exit"),
        "auto_arm": ("true", "let the safety node arm by itself; false: call /safety/arm"),
        "blank_camera": ("false", "show the robot black images"),
        "use_sim_time": ("true", "take the time from /clock"),
        "parameters": (PARAMETERS, "YAML file of all node parameters"),
    }
    scene = given(str, "task", "goal_source") | given(int, "seed")
    world = given(str, "world", "disturbance") | given(bool, "blank_camera")
    sim = node(Node, "sim", scene, world, {"use_sim_time": False})
    safety = node(Node, "safety", given(bool, "auto_arm"))
    mpc = node(LifecycleNode, "mpc", scene, given(str, "bundle", "goal_image"), given(int, "loops"))
    return LaunchDescription([*declared(described), *lifecycle(mpc), sim, safety, mpc])
