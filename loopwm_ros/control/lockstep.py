"""The control loop without ROS and without a clock: backend, controller and safety gate in step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from loopwm_ros.backends.base import Backend
from loopwm_ros.control.controller import Controller
from loopwm_ros.control.safety_gate import GateOutput, SafetyGate
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, CameraFrame, JointState, JointTrajectory


class Recorder(Protocol):
    """Sees what would be on the topics, in order."""

    def joint_state(self, joints: JointState) -> None:
        """/joint_states."""
        ...

    def frame(self, frame: CameraFrame) -> None:
        """The camera's image topic."""
        ...

    def plan(self, plan: JointTrajectory) -> None:
        """The controller's answer in a control period, /mpc/plan."""
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
        on_refusal: Callable[[SensorError], None] | None = None,
    ) -> None:
        """`on_refusal` gets the reason why input was not taken; without it, such input ends the run."""
        self._backend, self._gate, self._controller = backend, gate, controller
        self._ratio, self._recorder = servo_per_control, recorder
        self._on_refusal = on_refusal
        self._tick = 0

    def reset(self, seed: int) -> None:
        """New episode: the gate is armed at the start configuration."""
        self._backend.reset(seed)
        self._tick = 0
        joints = self._backend.joint_state()
        assert joints is not None, "a backend has joints at the start of an episode"
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
            with self._refusals():
                controller.observe_frame(frame)
            if self._recorder:
                self._recorder.frame(frame)
        if self._tick % self._ratio == 0:
            self._plan(now)
        self._tick += 1
        output = gate.step(now)
        if output.position is not None:
            controller.observe_command(now, output.position)
            if self._recorder:
                self._recorder.command(now, output.position)
        backend.step(output.position)
        self._sense()
        return output

    def _plan(self, now: float) -> None:
        plan = self._controller.tick(now)
        if plan is None:
            return
        if self._recorder:
            self._recorder.plan(plan)
        with self._refusals():
            self._gate.add_plan(plan, now)

    def _sense(self) -> None:
        joints = self._backend.joint_state()
        if joints is None:
            return
        with self._refusals():
            self._gate.add_joints(joints, self._backend.now)
        with self._refusals():
            self._controller.observe_joints(joints)
        if self._recorder:
            self._recorder.joint_state(joints)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """What cannot be used changes nothing, as in the nodes."""
        try:
            yield
        except SensorError as error:
            if self._on_refusal is None:
                raise
            self._on_refusal(error)
