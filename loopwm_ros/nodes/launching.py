"""What the launch files have in common: nodes with their parameters, and the life cycle of `mpc`.

`launch` and `launch_ros` come with a ROS distribution; nothing else of this package needs them.
"""

from __future__ import annotations

from collections.abc import Mapping

from launch import Action, Condition, LaunchContext, SomeSubstitutionsType
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

PACKAGE = "loopwm_ros"
PARAMETERS = PathJoinSubstitution([FindPackageShare(PACKAGE), "config", "parameters.yaml"])
RETRY = 1.0  # [s] until the next attempt to activate, while sensors are not there yet
AGAIN = 5.0  # [s] without an answer, until it is asked again to configure
RESPAWN = 1.0  # [s] until a node that was killed is started again
TOLD = (0, 1)  # exit codes: was asked to end; cannot start


def declared(
    described: Mapping[str, tuple[SomeSubstitutionsType | None, str]],
) -> list[DeclareLaunchArgument]:
    """Launch arguments by name, of a default and a description each; without a default one must be given."""
    return [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in described.items()
    ]


def given(kind: type, *names: str) -> dict[str, ParameterValue]:
    """Parameters of the same names as launch arguments, all of one type."""
    return {name: ParameterValue(LaunchConfiguration(name), value_type=kind) for name in names}


def stated(name: str) -> PythonExpression:
    """Was a launch argument given anything?"""
    return PythonExpression(["bool(r'''", LaunchConfiguration(name), "''')"])


def node(
    kind: type[Node],
    name: str,
    *parameters: object,
    condition: Condition | None = None,
    recovers: bool = False,
) -> Node:
    """One of our nodes with its parameters; when it ends, all end.

    One that `recovers` is started again where it was killed.
    """
    shared = [LaunchConfiguration("parameters"), given(str, "arm"), given(bool, "use_sim_time")]
    end = Shutdown(reason=f"the {name} node has ended")
    return kind(
        package=PACKAGE,
        executable=name,
        name=name,
        namespace="",
        output="screen",
        ros_arguments=["--enclave", f"/loopwm/{name}"],  # of config/security/policy.xml, where SROS 2 is on
        on_exit=_unless_killed(name, end) if recovers else end,
        respawn=recovers,
        respawn_delay=RESPAWN,
        condition=condition,
        parameters=[*shared, *parameters],
    )


def _unless_killed(name: str, end: Shutdown) -> object:
    again = LogInfo(msg=f"the {name} node was killed; it is started again")

    def ended(event: ProcessExited, _: LaunchContext) -> Action:
        return end if event.returncode in TOLD else again

    return ended


def lifecycle(managed: LifecycleNode) -> list[Action]:
    """Configure and activate; try again while sensors are missing, give up if configuring fails."""
    configuring = _Configuring(managed)
    activate = request(managed, Transition.TRANSITION_ACTIVATE)
    give_up = Shutdown(reason="the mpc node is not configured, see its error above")
    return [
        reached(managed, "configuring", "inactive", activate),
        reached(managed, "configuring", "unconfigured", give_up),
        reached(managed, "errorprocessing", "unconfigured", give_up),
        reached(managed, "activating", "inactive", TimerAction(period=RETRY, actions=[activate])),
        reached(managed, "unconfigured", "configuring", OpaqueFunction(function=configuring.begun)),
        RegisterEventHandler(
            OnProcessStart(target_action=managed, on_start=[OpaqueFunction(function=configuring.start)])
        ),
    ]


class _Configuring:
    """Asks until the node begins: a request is lost where a killed one of its name still seems to listen."""

    def __init__(self, managed: LifecycleNode) -> None:
        self._request = request(managed, Transition.TRANSITION_CONFIGURE)
        self._begun = self._again = False

    def start(self, _: LaunchContext) -> list[Action]:
        self._begun, first, self._again = False, not self._again, True
        return [self._request] if first else self._ask()

    def begun(self, _: LaunchContext) -> None:
        self._begun = True

    def _ask(self, _: LaunchContext | None = None) -> list[Action]:
        if self._begun:
            return []
        return [self._request, TimerAction(period=AGAIN, actions=[OpaqueFunction(function=self._ask)])]


def request(managed: LifecycleNode, transition: int) -> EmitEvent:
    """Ask the lifecycle node for a transition."""
    event = ChangeState(lifecycle_node_matcher=matches_action(managed), transition_id=transition)
    return EmitEvent(event=event)


def reached(managed: LifecycleNode, start: str, goal: str, *actions: Action) -> RegisterEventHandler:
    """Do `actions` when the node goes from state `start` to `goal`."""
    handler = OnStateTransition(
        target_lifecycle_node=managed, start_state=start, goal_state=goal, entities=list(actions)
    )
    return RegisterEventHandler(handler)
