"""For an arm whose driver and camera run already: in shadow until /safety/arm is called, never armed here."""

from launch import LaunchDescription
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from loopwm_ros.nodes.environment import stay_local
from loopwm_ros.nodes.launching import PARAMETERS, declared, given, lifecycle, node, stated
from loopwm_ros.nodes.monitor_topics import PATIENCE


def generate_launch_description() -> LaunchDescription:
    """Safety, mpc and monitor; with hand_eye calibration; with standin:=true what plays arm and camera."""
    stay_local()  # this process is a node, too
    described = {
        "bundle": (None, "folder of the model bundle"),
        "arm": (None, "arm, by name or path of a YAML file"),
        "validation": (
            "",
            "validation.json of loopwm validate, or its folder; without it the arm is not armed",
        ),
        "suite": ("", "suite that the validation must be of, by name or path; empty: any"),
        "public_key": ("", "PEM file of the key that the validation must be signed with; empty: any or none"),
        "task": ("reach", "task, by name or path of a YAML file"),
        "goal_source": ("seen", "seen, position or image"),
        "goal_image": ("", "file of the goal image, which /mpc/capture_goal writes"),
        "image_transport": ("compressed", "compressed or raw: which topic of the camera's driver is used"),
        "camera_info": ("", "camera_info YAML of the camera; empty: as the bundle and the arm file have it"),
        "hand_eye": (
            "",
            "hand_eye.yaml of the camera; armed only while that is seen in place; needs board or reference",
        ),
        "board": ("", "YAML of the calibration's board, to be looked for; hand_eye needs this or reference"),
        "reference": (
            "",
            "PNG of the scene as calibrated, of /calibration/take_reference; hand_eye needs this or board",
        ),
        "loops": ("0", "iterations of each transition; 0: early exit"),
        "standin": ("false", "true: start the stand-in, which plays arm and camera"),
        "seed": ("0", "of the stand-in's first scene, and of the planner"),
        "use_sim_time": ("false", "take the time from /clock, which no arm publishes"),
        "parameters": (PARAMETERS, "YAML file of all node parameters"),
    }
    scene = given(str, "task", "goal_source") | given(int, "seed")
    permit = given(str, "validation", "suite", "public_key")
    gate = {"auto_arm": False, "shadow": True, "need_validation": True, "monitor_timeout": PATIENCE}
    seen = {"need_calibration": ParameterValue(stated("hand_eye"), value_type=bool)}
    eye = given(str, "camera_info", "hand_eye", "image_transport")
    model = given(str, "bundle", "goal_image") | given(int, "loops")
    simulated = IfCondition(LaunchConfiguration("standin"))
    standin = node(Node, "standin", scene, condition=simulated)
    safety = node(Node, "safety", permit, gate, seen)
    monitor = node(Node, "monitor", given(str, "validation"), recovers=True)
    looks = given(str, "board", "reference")
    placed = IfCondition(stated("hand_eye"))
    calibration = node(Node, "calibration", eye, looks, condition=placed, recovers=True)
    mpc = node(LifecycleNode, "mpc", scene, eye, model, recovers=True)
    nodes = (standin, safety, monitor, calibration, mpc)
    return LaunchDescription([*declared(described), *lifecycle(mpc), *nodes])
