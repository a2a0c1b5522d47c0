"""A short recording of a simulated cell, played to any number of controllers: no simulator runs beside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from loopwm_ros.bullet.cell import BulletCell
from loopwm_ros.bullet.scripted import scripted_controller
from loopwm_ros.config import ArmConfig, TaskConfig, WorldConfig
from loopwm_ros.control.assembly import build_gate, build_motion
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.lockstep import Lockstep
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory

Event = Callable[[Controller], None]  # what a controller is told


@dataclass
class Clip:
    """What a controller sees of one episode, control period by control period."""

    seed: int
    joints: JointState  # at the start
    periods: list[tuple[float, list[Event]]] = field(default_factory=list)  # time [s], events before it


class _Camera:
    """Implements `control.lockstep.Recorder`: keeps what is seen until the next control period."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.started: JointState | None = None

    def joint_state(self, joints: JointState) -> None:
        if self.started is None:
            self.started = joints
            return
        self.events.append(lambda controller: controller.observe_joints(joints))

    def frame(self, frame: CameraFrame) -> None:
        self.events.append(lambda controller: controller.observe_frame(frame))

    def plan(self, plan: JointTrajectory) -> None:
        """Another controller's: of no interest."""

    def command(self, stamp: float, position: F64) -> None:
        self.events.append(lambda controller: controller.observe_command(stamp, position))


def record_clip(
    arm: ArmConfig, task: TaskConfig, world: WorldConfig, seed: int, seconds: float, kinematics: Kinematics
) -> Clip:
    """The first `seconds` of an episode that a controller drives which knows the truth."""
    camera, ratio = _Camera(), round(world.servo_rate / world.control_rate)
    with closing(BulletCell(arm, task, world)) as cell:
        motion = build_motion(kinematics, arm, task, 1.0 / world.control_rate)
        controller = scripted_controller(kinematics, motion, task, cell)
        gate = build_gate(kinematics, arm, 1.0 / world.servo_rate)
        loop = Lockstep(cell, gate, controller, ratio, camera)
        loop.reset(seed)
        assert camera.started is not None
        clip = Clip(seed, camera.started)
        for step in range(round(seconds * world.servo_rate)):
            if step % ratio == 0:
                clip.periods.append((cell.now, camera.events))
                camera.events = []
            loop.step()
    return clip
