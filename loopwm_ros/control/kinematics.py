"""Arm kinematics from the URDF: pinocchio for the model, pink for differential inverse kinematics."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pink
import pinocchio as pin

from loopwm_ros.config import ArmConfig
from loopwm_ros.config.arm import JERK_TIME, ROD_TIP
from loopwm_ros.config.resources import find_resource
from loopwm_ros.config.urdf import read_urdf, urdf_text
from loopwm_ros.errors import ConfigError
from loopwm_ros.types import F64

SOLVER = "quadprog"
MAX_TURN = 0.5  # orientation error corrected at once [rad/s]
POSTURE_COST = 1e-2  # pulls the redundant joints to the home posture
POSTURE_GAIN = 0.05  # share of the posture error removed per call
REACH_STEPS = 400  # of `reach`, at most
REACH_PERIOD = 0.02  # of one of them [s]
REACH_SPEED = 0.5  # [m/s]
REACHED = 1e-4  # [m]
SOLVE_STEPS, SOLVE_STEP = 60, 0.5  # of `joints_at`, at most, and the largest of them [rad]
SOLVE_DAMPING = 0.02  # [m, rad]
DAMPING = 1e-3  # Levenberg-Marquardt damping [dimensionless]


def _reduced_model(arm: ArmConfig) -> pin.Model:
    path = find_resource(arm.urdf)
    try:
        full = pin.buildModelFromXML(urdf_text(read_urdf(path)))
    except ValueError as error:
        raise ConfigError(f"{path} is not a valid URDF: {error}") from error
    movable = list(full.names)[1:]
    if missing := [j for j in (*arm.joints, *arm.locked_joints) if j not in movable]:
        raise ConfigError(f"{path} has no joint {', '.join(missing)}; valid: {', '.join(movable)}")
    if loose := [j for j in movable if j not in arm.joints and j not in arm.locked_joints]:
        raise ConfigError(f"arm '{arm.name}' neither controls nor locks joint {', '.join(loose)} of {path}")
    reference = pin.neutral(full)
    for name, value in arm.locked_joints.items():
        reference[full.joints[full.getJointId(name)].idx_q] = value
    locked = [full.getJointId(name) for name in arm.locked_joints]
    model = pin.buildReducedModel(full, locked, reference)
    if tuple(list(model.names)[1:]) != arm.joints or model.nq != len(arm.joints):
        raise ConfigError(
            f"arm '{arm.name}' lists joints {list(arm.joints)}; the URDF's order is {list(model.names)[1:]}"
        )
    if missing := [frame for frame in (arm.tool_frame, arm.base_frame) if not model.existFrame(frame)]:
        raise ConfigError(f"{path} has no frame '{missing[0]}'")
    if arm.rod is not None:
        _add_tip(model, model.getFrameId(arm.tool_frame), arm.rod.length)
    return model


def _add_tip(model: pin.Model, mount: int, length: float) -> None:
    """Add the frame at the tip of a rod, `length` [m] along the z axis of the frame `mount`."""
    frame = model.frames[mount]
    placement = frame.placement * pin.SE3(np.eye(3), np.array([0.0, 0.0, length]))
    model.addFrame(pin.Frame(ROD_TIP, frame.parentJoint, mount, placement, pin.FrameType.OP_FRAME))


def lever_arms(model: pin.Model, joint: int, reach: float, fixed: Collection[int] = (0,)) -> F64:
    """How far a point can move per turn of each joint, (n,) [m/rad].

    The point moves with `joint` and is at most `reach` [m] from its origin; joints in `fixed` do not turn.
    """
    arms = np.zeros(model.nv)
    for each in reversed([j for j in model.supports[joint] if j not in fixed]):
        arms[model.joints[each].idx_v] = reach
        reach += float(np.linalg.norm(model.jointPlacements[each].translation))
    return arms


@dataclass(frozen=True)
class Tool:
    """The tool at some joint angles: where it is, and how it moves as they turn."""

    place: F64  # in the base frame [m], (3,)
    jacobian: F64  # of its motion in its own frame [m, rad], (6, n)
    linear: F64  # of its place in the base frame [m], (3, n)

    def speed(self, velocity: F64) -> float:
        """Of the tool point [m/s], at joint velocities (n,) [rad/s]."""
        return math.hypot(*(self.linear @ velocity).tolist())

    def manipulability(self) -> float:
        """Smallest singular value of the Jacobian [m, rad]."""
        return float(np.sqrt(max(0.0, np.linalg.eigvalsh(self.jacobian @ self.jacobian.T)[0])))


class Kinematics:
    """Forward and differential inverse kinematics of one arm, in its base frame.

    Not thread-safe: calls share buffers.
    """

    def __init__(self, arm: ArmConfig) -> None:
        """Build from the arm file.

        Raises:
            ConfigError: URDF missing, or it lacks a joint or frame that the arm file names.
        """
        self.model = _reduced_model(arm)
        self.names = arm.joints
        margin = arm.position_margin
        self.lower: F64 = np.asarray(self.model.lowerPositionLimit) + margin  # [rad]
        self.upper: F64 = np.asarray(self.model.upperPositionLimit) - margin
        self.velocity_limit: F64 = np.asarray(self.model.velocityLimit) * arm.velocity_scale  # [rad/s]
        self.acceleration_limit: F64 = np.asarray(arm.acceleration, dtype=float)  # [rad/s^2]
        jerk = arm.jerk or tuple(limit / JERK_TIME for limit in arm.acceleration)
        self.jerk_limit: F64 = np.asarray(jerk, dtype=float)  # [rad/s^3]
        self.home: F64 = np.asarray(arm.home, dtype=float)
        if sliding := [
            n for n, j in zip(self.names, list(self.model.joints)[1:], strict=True) if not _turns(j)
        ]:
            raise ConfigError(
                f"arm '{arm.name}': {', '.join(sliding)} does not turn; only revolute joints can be used"
            )
        self._data = self.model.createData()
        self._tool = self.model.getFrameId(arm.tool_point)
        self._base = self.model.getFrameId(arm.base_frame)
        self._mount = self.model.getFrameId(arm.tool_frame)
        self.base_placement = pin.SE3(self.model.frames[self._base].placement)  # in the URDF's root
        self._pose_task = pink.FrameTask(arm.tool_point, position_cost=1.0, orientation_cost=0.3)
        self._posture_task = pink.PostureTask(cost=POSTURE_COST, gain=POSTURE_GAIN)
        self._posture_task.set_target(self.home)
        self._configuration = pink.Configuration(self.model, self.model.createData(), self.home.copy())
        self._orientation = self.tool_pose(self.home)[:3, :3]
        tool = self.model.frames[self._tool]
        self.tool_levers = lever_arms(  # how far the tool moves per turn of each joint, at most, (n,) [m/rad]
            self.model, tool.parentJoint, float(np.linalg.norm(tool.placement.translation))
        )

    def tool_pose(self, position: F64) -> F64:
        """Homogeneous tool pose (4, 4) in the base frame for joints (n,) [rad]."""
        pin.framesForwardKinematics(self.model, self._data, np.asarray(position, dtype=float))
        base, tool = self._data.oMf[self._base], self._data.oMf[self._tool]
        return np.array((base.inverse() * tool).homogeneous)

    def tool_position(self, position: F64) -> F64:
        """Tool position (3,) in the base frame [m]."""
        return self.tool_pose(position)[:3, 3]

    def tool(self, position: F64) -> Tool:
        """The tool at joints (n,) [rad]."""
        pin.forwardKinematics(self.model, self._data, position)
        tool = pin.updateFramePlacement(self.model, self._data, self._tool)
        jacobian = pin.computeFrameJacobian(self.model, self._data, position, self._tool)
        base = self.base_placement
        linear = base.rotation.T @ (tool.rotation @ jacobian[:3])
        return Tool(base.actInv(tool.translation), jacobian, linear)

    def mount(self, position: F64) -> tuple[F64, F64]:
        """Of the arm's `tool_frame`, which is not the tip of a rod, in the base frame at joints (n,) [rad].

        Returns its pose (4, 4) and its Jacobian (6, n) [m, rad] at its origin, along the base's axes.
        """
        pin.forwardKinematics(self.model, self._data, np.asarray(position, dtype=float))
        pose = pin.updateFramePlacement(self.model, self._data, self._mount)
        local = pin.computeFrameJacobian(self.model, self._data, position, self._mount)
        seen = self.base_placement.inverse() * pose
        turned = np.vstack([seen.rotation @ local[:3], seen.rotation @ local[3:]])
        return np.array(seen.homogeneous), turned

    def joints_at(self, pose: F64, start: F64) -> F64 | None:
        """Joints (n,) [rad] within limits that bring `tool_frame` to a pose (4, 4) in the base frame.

        From a start (n,) by damped least squares; None: not found from there.
        """
        joints = np.clip(start, self.lower, self.upper)
        for _ in range(SOLVE_STEPS):
            now, jacobian = self.mount(joints)
            turn = pin.log3(pose[:3, :3] @ now[:3, :3].T)
            error = np.concatenate([pose[:3, 3] - now[:3, 3], turn])
            if np.abs(error).max() < REACHED:
                return joints
            damped = jacobian @ jacobian.T + SOLVE_DAMPING**2 * np.eye(6)
            step = jacobian.T @ np.linalg.solve(damped, error)
            step *= min(1.0, SOLVE_STEP / float(np.abs(step).max()))
            joints = np.clip(joints + step, self.lower, self.upper)
        return None

    def chain(self, position: F64) -> F64:
        """Base, joints and tool point in the base frame (n + 2, 3) [m], at joints (n,) [rad]."""
        pin.forwardKinematics(self.model, self._data, position)
        tool = pin.updateFramePlacement(self.model, self._data, self._tool)
        places = [self.base_placement.actInv(each.translation) for each in list(self._data.oMi)[1:]]
        return np.array([np.zeros(3), *places, self.base_placement.actInv(tool.translation)])

    def tool_motion(self, position: F64, velocity: F64) -> tuple[F64, float]:
        """Tool position (3,) in the base frame [m] and its speed [m/s] at joint velocities (n,) [rad/s]."""
        pin.forwardKinematics(self.model, self._data, position, velocity)
        tool = pin.updateFramePlacement(self.model, self._data, self._tool)
        twist = pin.getFrameVelocity(self.model, self._data, self._tool, pin.ReferenceFrame.LOCAL)
        return self.base_placement.actInv(tool.translation), math.hypot(*twist.linear)

    def manipulability(self, position: F64) -> float:
        """Smallest singular value of the tool's Jacobian (6, n) [m, rad] for joints (n,) [rad]."""
        return self.tool(position).manipulability()

    def tool_positions(self, positions: F64) -> F64:
        """Tool positions (m, 3) in the base frame [m] for joints (m, n) [rad]."""
        return np.stack([self.tool_position(position) for position in positions])

    def step(self, position: F64, tool_velocity: F64, dt: float) -> tuple[F64, F64]:
        """Joints after `dt` [s] of `tool_velocity` (3,) [m/s], the tool kept oriented as at home.

        Returns next positions (n,) [rad] and velocities (n,) [rad/s], both within limits: where a velocity
        limit binds, the whole motion is slowed, so the direction is kept; a joint at its end stays there.
        """
        self._configuration.update(np.asarray(position, dtype=float))
        current = self._configuration.get_transform_frame_to_world(self._pose_task.frame)
        base = self._data_pose_of_base()
        target = pin.SE3(current.rotation, current.translation + base.rotation @ (tool_velocity * dt))
        turn = pin.log3(current.rotation.T @ base.rotation @ self._orientation)
        angle = float(np.linalg.norm(turn))
        if angle > MAX_TURN * dt:
            turn *= MAX_TURN * dt / angle
        target.rotation = current.rotation @ pin.exp3(turn)
        self._pose_task.set_target(target)
        velocity = pink.solve_ik(
            self._configuration,
            [self._pose_task, self._posture_task],
            dt,
            solver=SOLVER,
            damping=DAMPING,
            limits=[],
            safety_break=False,
        )
        velocity = velocity / max(1.0, float(np.max(np.abs(velocity) / self.velocity_limit)))
        target_position = np.clip(position + velocity * dt, self.lower, self.upper)
        return target_position, (target_position - position) / dt

    def reach(self, position: F64, target: F64) -> F64:
        """Joints (n,) [rad] with the tool at `target` (3,) [m], going there in a straight line.

        Raises:
            ConfigError: the target is out of reach.
        """
        joints = np.asarray(position, dtype=float)
        for _ in range(REACH_STEPS):
            error = target - self.tool_position(joints)
            if float(np.linalg.norm(error)) < REACHED:
                return joints
            velocity = error / REACH_PERIOD
            velocity *= min(1.0, REACH_SPEED / float(np.linalg.norm(velocity)))
            joints, _ = self.step(joints, velocity, REACH_PERIOD)
        raise ConfigError(f"the tool cannot reach {np.round(target, 3).tolist()} [m]; choose a nearer point")

    def _data_pose_of_base(self) -> pin.SE3:
        return self._configuration.get_transform_frame_to_world(self.model.frames[self._base].name)


def _turns(joint: pin.JointModel) -> bool:
    return bool(joint.nq == joint.nv == 1) and joint.shortname().startswith("JointModelR")
