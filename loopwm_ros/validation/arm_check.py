"""Checks an arm file before anything is recorded with it: limits, home, reach, camera, simulation."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from loopwm_ros.bullet.camera import render
from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError
from loopwm_ros.processing.camera import project
from loopwm_ros.types import F64, U8
from loopwm_ros.validation.checks import Check

JOINT_SPEEDS = (0.1, 7.0)  # limits that an arm's joints have [rad/s]
TILT = math.radians(10)  # of the tool from straight down
EDGE = 3.0  # what is looked at keeps this from the image's edge [px]
HOLD = 0.5  # [s]
DRIFT = 0.01  # of a joint that holds its place [rad]
AGREEMENT = 1e-3  # of simulator and kinematics on the tool's place [m]
FRAME_TIME = 0.01  # of a core, to render a frame [s]
ENLARGED = 4  # pixels of a picture per pixel of the camera
AREA = (230, 160, 0)  # colour of the places in a picture, RGB


def check_arm(arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> Iterator[Check]:
    """All checks of an arm for a task.

    Raises:
        ConfigError: the URDF is missing or does not fit the arm file, so that nothing can be checked.
    """
    kinematics = Kinematics(arm)
    yield _speeds(kinematics, arm)
    yield _efforts(kinematics)
    yield _base(kinematics, arm)
    yield _home(kinematics)
    yield _home_in_workspace(kinematics, arm)
    yield _tilt(kinematics)
    yield _reach(kinematics, arm, task_places(task, world))
    yield _view(arm, object_corners(task, world))
    yield from _simulation(kinematics, arm, task, world)


def task_places(task: TaskConfig, world: WorldConfig) -> F64:
    """Middle and corners (5, 3) of where a task takes the tool, base frame [m]."""
    if task.plane is not None:
        x, y, height = task.plane.x, task.plane.y, task.plane.height
    else:
        goal = task.objects[task.goal]
        x, y = goal.x, goal.y
        height = world.table_high[2] + max(goal.size) + task.goal_offset[2]
    corners = [(a, b, height) for a, b in itertools.product(x, y)]
    return np.array([(sum(x) / 2, sum(y) / 2, height), *corners])


def object_corners(task: TaskConfig, world: WorldConfig) -> F64:
    """Corners (m, 3) of where a task's objects may lie, base frame [m]."""
    things = task.objects.values()
    places = [(x, y) for thing in things for x, y in itertools.product(thing.x, thing.y)]
    return np.array([(*place, world.table_high[2]) for place in places])


def write_picture(path: Path, arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> None:
    """Write what the camera sees at the start of an episode, with each object's range drawn in.

    Raises:
        ConfigError: an episode cannot start, or the path cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    image = cv2.cvtColor(_picture(arm, task, world), cv2.COLOR_RGB2BGR)
    if path.suffix != ".png" or not cv2.imwrite(str(path), image):
        raise ConfigError(f"cannot write {path}; give the path of a .png file")


def _picture(arm: ArmConfig, task: TaskConfig, world: WorldConfig) -> U8:
    """RGB, `ENLARGED` times the camera's size."""
    with closing(BulletCell(arm, task, world)) as cell:
        image = cv2.resize(_frame(cell), None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_NEAREST)
        camera = cell.camera
    for corners in object_corners(task, world).reshape(-1, 4, 3):
        outline = ENLARGED * project(camera, corners[[0, 1, 3, 2]])
        if np.isfinite(outline).all():
            cv2.polylines(image, [np.round(outline).astype(np.int32)], isClosed=True, color=AREA)
    return np.asarray(image, dtype=np.uint8)


def _speeds(kinematics: Kinematics, arm: ArmConfig) -> Check:
    limits = kinematics.velocity_limit / arm.velocity_scale
    low, high = JOINT_SPEEDS
    good = bool(np.all((limits >= low) & (limits <= high)))
    found = f"{_span(limits)} rad/s in the URDF, {_span(kinematics.velocity_limit)} used"
    return Check(
        "joint speeds", good, found, f"correct the URDF's velocity limits; an arm has {low} to {high} rad/s"
    )


def _efforts(kinematics: Kinematics) -> Check:
    efforts = np.asarray(kinematics.model.effortLimit)
    return Check(
        "joint efforts",
        bool(np.all((efforts > 0) & np.isfinite(efforts))),
        f"{_span(efforts)} N m",
        "give each joint's effort limit in the URDF: the simulator's motors have it",
    )


def _base(kinematics: Kinematics, arm: ArmConfig) -> Check:
    frame = kinematics.model.frames[kinematics.model.getFrameId(arm.base_frame)]
    good = frame.parentJoint == 0 and frame.placement.isIdentity(1e-9)
    found = arm.base_frame if good else f"{arm.base_frame}, elsewhere than the URDF's root"
    fix = "name the root link, or make base_frame the root link of the URDF: all places are given in it"
    return Check("base frame", good, found, fix)


def _home(kinematics: Kinematics) -> Check:
    room = np.minimum(kinematics.home - kinematics.lower, kinematics.upper - kinematics.home)
    least = int(np.argmin(room))
    return Check(
        "home within limits",
        bool(room[least] >= 0),
        f"least room: {room[least]:.2f} rad, {kinematics.names[least]}",
        "choose a home that keeps position_margin from the URDF's limits",
    )


def _home_in_workspace(kinematics: Kinematics, arm: ArmConfig) -> Check:
    tool = kinematics.tool_position(kinematics.home)
    good = _inside(tool, arm)
    return Check(
        "home in workspace", good, f"tool at {_point(tool)}", "widen workspace or choose another home"
    )


def _tilt(kinematics: Kinematics) -> Check:
    tilt = math.acos(float(np.clip(-kinematics.tool_pose(kinematics.home)[2, 2], -1.0, 1.0)))
    return Check(
        "tool points down",
        tilt <= TILT,
        f"{math.degrees(tilt):.1f} degrees from it, at home",
        "choose a home in which the z axis of tool_frame points down; the tool is kept as it is there",
    )


def _reach(kinematics: Kinematics, arm: ArmConfig, places: F64) -> Check:
    outside = [f"{_point(p)} is outside workspace" for p in places if not _inside(p, arm)]
    missed = [m for m in (_missed(kinematics, p) for p in places) if m]
    return Check(
        "task in reach",
        not outside and not missed,
        "; ".join([*outside, *missed])
        or f"{len(places)} places, from {_point(places[1])} to {_point(places[-1])}",
        "widen workspace, mount the arm elsewhere (a new root link), or narrow the task's ranges",
    )


def _missed(kinematics: Kinematics, place: F64) -> str:
    try:
        kinematics.reach(kinematics.home, place)
    except ConfigError as error:
        return str(error)
    return ""


def _view(arm: ArmConfig, points: F64) -> Check:
    camera = arm.camera
    pixels = project(camera, points)
    size = np.array([camera.width, camera.height])
    seen = np.all((pixels >= EDGE) & (pixels <= size - EDGE), axis=1)  # NaN: behind the camera, not seen
    hidden = [_point(p) for p, s in zip(points, seen, strict=True) if not s]
    return Check(
        "task in view",
        not hidden,
        f"outside the image: {', '.join(hidden)}"
        if hidden
        else f"{len(points)} corners of the objects' ranges",
        "move the camera, turn it with look_at, or lower fx and fy",
    )


def _simulation(
    kinematics: Kinematics, arm: ArmConfig, task: TaskConfig, world: WorldConfig
) -> Iterator[Check]:
    try:
        cell = BulletCell(arm, task, world)
    except ConfigError as error:
        yield Check("simulation", False, str(error), "see above")
        return
    with closing(cell):
        yield _holds(kinematics, cell, world)
        yield _frame_time(cell)


def _holds(kinematics: Kinematics, cell: BulletCell, world: WorldConfig) -> Check:
    start = cell.joint_state().position
    for _ in range(round(HOLD * world.servo_rate)):
        cell.step(start)
    position = cell.joint_state().position
    drift = float(np.max(np.abs(position - start)))
    error = float(np.linalg.norm(cell.truth().tool - kinematics.tool_position(position)))
    return Check(
        "simulation",
        drift <= DRIFT and error <= AGREEMENT,
        f"holds within {drift:.4f} rad; tool where kinematics say within {1e3 * error:.2f} mm",
        "check the URDF's masses, inertias and efforts, and that its root is base_frame",
    )


def _frame_time(cell: BulletCell) -> Check:
    seconds = []
    for _ in range(5):
        start = time.thread_time()  # what else runs on the machine does not count
        _frame(cell)
        seconds.append(time.thread_time() - start)
    return Check(
        "rendering",
        min(seconds) <= FRAME_TIME,
        f"{1e3 * min(seconds):.1f} ms a frame",
        "give the URDF simpler collision shapes: these are drawn",
    )


def _frame(cell: BulletCell) -> U8:
    return render(cell.client, cell.camera, cell.draw.light, cell.draw.light_direction)


def _inside(point: F64, arm: ArmConfig) -> bool:
    return bool(np.all(point >= arm.workspace.low) and np.all(point <= arm.workspace.high))


def _span(values: F64) -> str:
    return f"{float(np.min(values)):.2f} to {float(np.max(values)):.2f}"


def _point(point: F64) -> str:
    return "(" + ", ".join(f"{v:.2f}" for v in point) + ")"
