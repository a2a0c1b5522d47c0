"""The last gate before the arm: a process of its own, without a model. It alone commands the controller."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from pydantic import Field
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.config import Settings, load_arm
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_filter import SafetyFilter
from loopwm_ros.control.safety_gate import GateOutput, GateSettings, GateState, SafetyGate
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.messages import joint_state_from, trajectory_from
from loopwm_ros.nodes import diagnostics, params, spin
from loopwm_ros.nodes.diagnostics import Level
from loopwm_ros.nodes.qos import COMMAND, REPORT, SENSOR
from loopwm_ros.nodes.ros_messages import message_factory
from loopwm_ros.types import F64, JointTrajectory

NAME = diagnostics.SAFETY
PLAN_TOPIC = "/mpc/plan"
STANDSTILL = 0.5  # [s] without a servo period
_LEVELS = {GateState.ARMED: Level.OK, GateState.DISARMED: Level.OK, GateState.STOPPING: Level.WARN}


class SafetySettings(Settings):
    """Parameters of the safety node."""

    arm: str = Field(
        "", description="arm, by name or path of a YAML file; to be named, for the limits are its"
    )
    servo_rate: float = Field(80.0, ge=10.0, le=1000.0, description="commands to the controller [Hz]")
    joint_timeout: float = Field(
        0.15, ge=0.02, le=1.0, description="age of joint states that stops the arm [s]"
    )
    plan_timeout: float = Field(0.15, ge=0.05, le=1.0, description="age of a plan that stops the arm [s]")
    tracking_error: float = Field(
        0.35, ge=0.01, le=1.0, description="command to measured joint: a fault [rad]"
    )
    jump: float = Field(0.2, ge=0.01, le=1.0, description="plan away from the command: refused [rad]")
    auto_arm: bool = Field(False, description="arm by itself, once, when joint states arrive")

    def gate(self) -> GateSettings:
        """The part that the gate needs."""
        return GateSettings(**self.model_dump(include=set(GateSettings.model_fields)))


class SafetyNode(Node):
    """`SafetyGate` on ROS topics and services."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line.

        Raises:
            ConfigError: no arm is named, or its file is not usable.
        """
        super().__init__(NAME, parameter_overrides=list(overrides))
        params.declare(self, SafetySettings)
        settings = params.read(self, SafetySettings)
        if not settings.arm:
            raise ConfigError("which arm is this? Set the parameter arm: --ros-args -p arm:=NAME")
        params.guard(self, SafetySettings, lambda: "limits are fixed when the safety node starts")
        self._arm = load_arm(settings.arm)
        self._period = 1.0 / settings.servo_rate
        self._filter = SafetyFilter(Kinematics(self._arm), self._arm, self._period)
        self._gate = SafetyGate(self._filter, settings.gate())
        self._auto_arm = settings.auto_arm
        self._output = GateOutput(None, self._gate.state, ())
        self._make = message_factory()
        self._served = time.perf_counter()  # the last servo period, on the steady clock
        self._connect()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        simulated = bool(self.get_parameter("use_sim_time").value)
        self.create_timer(self._period, self._on_servo, clock=self.get_clock() if simulated else steady)
        self.create_timer(diagnostics.PERIOD, self._on_heartbeat, clock=steady)

    def _connect(self) -> None:
        names = self._arm.topics
        if self._arm.controller == "forward_position":
            self._commands = self.create_publisher(Float64MultiArray, names.command, COMMAND)
        else:
            self._commands = self.create_publisher(TrajectoryMessage, names.trajectory, COMMAND)
        self._report = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, REPORT)
        self.create_subscription(JointStateMessage, names.joint_states, self._on_joints, SENSOR)
        self.create_subscription(TrajectoryMessage, PLAN_TOPIC, self._on_plan, COMMAND)
        self.create_service(SetBool, "~/arm", self._on_arm)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self.create_service(Trigger, "~/reset", self._on_reset)

    def _now(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _refuse(self, topic: str, error: SensorError) -> None:
        self.get_logger().error(f"{topic}: {error}", throttle_duration_sec=1.0)

    def _on_joints(self, message: JointStateMessage) -> None:
        try:
            self._gate.add_joints(joint_state_from(message, self._arm.joints), self._now())
        except SensorError as error:
            self._refuse(self._arm.topics.joint_states, error)

    def _on_plan(self, message: TrajectoryMessage) -> None:
        try:
            self._gate.add_plan(trajectory_from(message, self._arm.joints), self._now())
        except SensorError as error:
            self._refuse(PLAN_TOPIC, error)

    def _on_servo(self) -> None:
        now, self._served = self._now(), time.perf_counter()
        if self._auto_arm and self._gate.joints is not None and (refusal := self._arm_gate(now)):
            self.get_logger().warning(f"not armed yet: {refusal}", throttle_duration_sec=1.0)
        before, self._output = self._gate.state, self._gate.step(now)
        if self._output.position is not None:
            self._commands.publish(self._command(self._output.position))
        if self._output.state is GateState.FAULT is not before:
            self.get_logger().error(f"fault: {self._output.reasons[0]}")

    def _command(self, position: F64) -> Float64MultiArray | TrajectoryMessage:
        """The controller's message: a reference now, or to be reached in one servo period."""
        if self._arm.controller == "forward_position":
            return self._make.command(position)
        at = np.array([self._period])
        point = JointTrajectory(0.0, at, position[None], self._filter.velocity[None])
        return self._make.trajectory(point, self._arm.joints)

    def _arm_gate(self, now: float) -> str:
        """Arm; returns why not, or an empty string."""
        try:
            self._gate.arm(now)
        except SensorError as error:
            return str(error)
        self._auto_arm = False
        self.get_logger().info("armed")
        return ""

    def _on_arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._auto_arm = False
        if request.data:
            response.message = self._arm_gate(self._now())
        else:
            self._gate.disarm()
        response.success = not response.message
        response.message = response.message or self._gate.state.value
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._auto_arm = False
        self._gate.stop()
        response.success, response.message = True, self._gate.state.value
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._gate.reset()
        response.success, response.message = True, self._gate.state.value
        return response

    def _on_heartbeat(self) -> None:
        state, reasons = self._output.state, diagnostics.BETWEEN.join(self._output.reasons)
        level = Level.WARN if reasons and state is GateState.ARMED else _LEVELS.get(state, Level.ERROR)
        if time.perf_counter() - self._served > STANDSTILL:
            level, reasons = Level.ERROR, "ROS time stands still, nothing is sent; is /clock published?"
        text = f"{state.value}: {reasons}" if reasons else state.value
        values = {"state": state.value, diagnostics.REASONS: reasons}
        stamp = self.get_clock().now().to_msg()
        self._report.publish(diagnostics.heartbeat(stamp, NAME, self._arm.name, level, text, values))


def main() -> int:
    """Run the safety node until interrupted."""
    return spin.run(NAME, SafetyNode, SafetySettings)


if __name__ == "__main__":
    sys.exit(main())
