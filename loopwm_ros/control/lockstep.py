"""The control loop without ROS and without a clock: backend, controller and safety gate in step."""

from __future__ import annotations

from typing import Protocol

from loopwm_ros.backends.base import Backend
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.safety_gate import GateOutput, SafetyGate
from loopwm_ros.types import F64, CameraFrame, JointState


class Recorder(Protocol):
    """Sees what would be on the topics, in order."""

    def joint_state(self, joints: JointState) -> None:
        """/joint_states."""
        ...

    def frame(self, frame: CameraFrame) -> None:
        """The camera's image topic."""
        ...

    def command(self, stamp: float, position: F64) -> None:
        """The controller's command topic, (n,) [rad]."""
        ...


class Lockstep:
    """Steps a backend at the servo rate and a controller at the control rate."""

    def __init__(
        self,
        backend: Backend,
        gate: SafetyGate,
        controller: Controller,
        servo_per_control: int,
        recorder: Recorder | None = None,
    ) -> None:
        self._backend, self._gate, self._controller = backend, gate, controller
        self._ratio, self._recorder = servo_per_control, recorder
        self._tick = 0

    def reset(self, seed: int) -> None:
        """New episode: the gate is armed at the start configuration."""
        self._backend.reset(seed)
        self._tick = 0
        joints = self._backend.joint_state()
        now = self._backend.now
        self._gate.restart()
        self._gate.add_joints(joints, now)
        self._gate.arm(now)
        self._controller.reset(seed, now, joints)
        if self._recorder:
            self._recorder.joint_state(joints)

    def step(self) -> GateOutput:
        """One servo period: sensors, controller when due, gate, backend. Returns what the gate did."""
        backend, gate, controller = self._backend, self._gate, self._controller
        now = backend.now
        frame = backend.new_frame()
        if frame is not None:
            controller.observe_frame(frame)
            if self._recorder:
                self._recorder.frame(frame)
        if self._tick % self._ratio == 0:
            gate.add_plan(controller.tick(now), now)
        self._tick += 1
        output = gate.step(now)
        if output.position is not None:
            controller.observe_command(now, output.position)
            if self._recorder:
                self._recorder.command(now, output.position)
        backend.step(output.position)
        joints = backend.joint_state()
        gate.add_joints(joints, backend.now)
        controller.observe_joints(joints)
        if self._recorder:
            self._recorder.joint_state(joints)
        return output
