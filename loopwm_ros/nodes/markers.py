"""What the model imagines, for RViz and Foxglove."""

from __future__ import annotations

from collections.abc import Mapping

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from loopwm_ros.config.task import TOOL
from loopwm_ros.types import F32, F64

LINE_WIDTH = 0.006  # [m]
GOAL_SIZE = 0.06  # diameter of the goal's marker [m]
PATH_COLOUR = ColorRGBA(r=0.1, g=0.6, b=1.0, a=0.9)
MOVED_COLOUR = ColorRGBA(r=0.9, g=0.2, b=0.6, a=0.9)
ACTUAL_COLOUR = ColorRGBA(r=0.1, g=0.8, b=0.3, a=0.9)
GOAL_COLOUR = ColorRGBA(r=1.0, g=0.4, b=0.1, a=0.5)


def _point(xyz: F32 | F64) -> Point:
    x, y, z = (float(v) for v in xyz)
    return Point(x=x, y=y, z=z)


def _line(header: Header, name: str, colour: ColorRGBA, path: F32 | F64) -> Marker:
    """A path (m, 3) [m]."""
    return Marker(
        header=header,
        ns=name,
        type=Marker.LINE_STRIP,
        scale=Vector3(x=LINE_WIDTH),
        color=colour,
        points=[_point(xyz) for xyz in path],
    )


def compared_markers(
    stamp: Time, frame: str, imagined: Mapping[str, F64], actual: Mapping[str, F64]
) -> MarkerArray:
    """What was imagined and what came, paths (m, 3) of named points as lines, in `frame` [m]."""
    header = Header(stamp=stamp, frame_id=frame)
    lines = [
        _line(header, f"{kind}_{name}", colour, path)
        for kind, paths, colour in (("hindsight", imagined, MOVED_COLOUR), ("actual", actual, ACTUAL_COLOUR))
        for name, path in paths.items()
        if len(path) > 1
    ]
    return MarkerArray(markers=lines)


def imagined_markers(stamp: Time, frame: str, paths: Mapping[str, F32], goal: F64 | None) -> MarkerArray:
    """Imagined paths (m, 3) of named points as lines and the goal (3,) as a sphere, in `frame` [m]."""
    header = Header(stamp=stamp, frame_id=frame)
    lines = [
        _line(header, f"imagined_{name}", PATH_COLOUR if name == TOOL else MOVED_COLOUR, path)
        for name, path in paths.items()
    ]
    sphere = Marker(header=header, ns="goal", type=Marker.SPHERE, color=GOAL_COLOUR)
    sphere.scale = Vector3(x=GOAL_SIZE, y=GOAL_SIZE, z=GOAL_SIZE)
    if goal is None:
        sphere.action = Marker.DELETE
    else:
        sphere.pose = Pose(position=_point(goal))
    return MarkerArray(markers=[*lines, sphere])
