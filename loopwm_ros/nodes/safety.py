"""The last gate before the arm: a process of its own, without a model. It alone commands the controller."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from loopwm_ros.config import load_arm
from loopwm_ros.control.assembly import build_gate
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.control.safety_gate import GateOutput, GateState
from loopwm_ros.errors import SensorError
from loopwm_ros.messages import joint_state_from, trajectory_from
from loopwm_ros.nodes import diagnostics, heartbeats, params, spin
from loopwm_ros.nodes.arming_gate import ArmingGate
from loopwm_ros.nodes.checked import Sparing
from loopwm_ros.nodes.commander import Commander
from loopwm_ros.nodes.diagnostics import Level
from loopwm_ros.nodes.inlets import JOINTS_MOST, WORDS_MOST, Inlet, InletNode
from loopwm_ros.nodes.monitor_topics import SPEED_TOPIC
from loopwm_ros.nodes.mpc_topics import PLAN_TOPIC
from loopwm_ros.nodes.qos import COMMAND, REPORT, SENSOR
from loopwm_ros.nodes.safety_parameters import SafetyParameters
from loopwm_ros.nodes.watch import Watch

NAME = diagnostics.SAFETY
OFTEN = 3  # looks for joint states, at least, in the time after which they are stale
_LEVELS = {GateState.STOPPED: Level.WARN, GateState.FAULT: Level.ERROR}


class SafetyNode(InletNode):
    """`SafetyGate` on ROS topics and services."""

    def __init__(self, overrides: Sequence[Parameter[Any]] = ()) -> None:
        """Start the node; `overrides` win over parameters from the command line.

        Raises:
            ConfigError: no arm is named, its file or the suite's is not usable, or settings contradict.
        """
        super().__init__(NAME, parameter_overrides=list(overrides))
        params.declare(self, SafetyParameters)
        settings = params.read(self, SafetyParameters)
        settings.check()
        params.guard(self, SafetyParameters, lambda: "limits are fixed when the safety node starts")
        self._arm = load_arm(settings.arm)
        self._period = self.poll_period = 1.0 / settings.servo_rate
        self.rest_period = max(self._period, min(self.rest_period, settings.joint_timeout / OFTEN))
        kinematics = Kinematics(self._arm)
        self._gate = build_gate(kinematics, self._arm, self._period, settings)
        self._auto_arm, self._log = settings.auto_arm, Sparing(self)
        self._output = GateOutput(None, None, self._gate.state, ())
        self._leaving: float | None = None  # since when it is asked to end, on the steady clock
        self._reported = -1.0  # ROS time of the last report [s]
        self._commander = Commander(self, self._arm, kinematics, self._period)
        self._mpc = heartbeats.Heard(heartbeats.MPC_TOPIC)
        self._calibration = heartbeats.Heard(heartbeats.CALIBRATION_TOPIC)
        self._arming = ArmingGate(settings, self._arm, self._mpc, self._calibration)
        self._connect(monitored=settings.monitor_timeout > 0.0)
        if settings.need_calibration:
            self._listen(DiagnosticStatus, self._calibration.topic, self._calibration.hear)
        if settings.shadow:
            self._gate.shadow()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        simulated = bool(self.get_parameter("use_sim_time").value)
        self.serve(self._on_servo, self.get_clock() if simulated else steady)
        self.create_timer(heartbeats.PERIOD, self._on_watch, clock=steady)
        self.create_timer(diagnostics.PERIOD, self._on_report, clock=steady)

    def _connect(self, monitored: bool) -> None:
        joints, single = self._arm.topics.joint_states, {PLAN_TOPIC: self._mpc}
        self._listen(JointStateMessage, joints, self._on_joints, SENSOR, JOINTS_MOST)
        self._listen(TrajectoryMessage, PLAN_TOPIC, self._on_plan)
        self._listen(DiagnosticStatus, self._mpc.topic, self._mpc.hear)
        if monitored:
            single[SPEED_TOPIC] = monitor = heartbeats.Heard(heartbeats.MONITOR_TOPIC)
            self._listen(Float64, SPEED_TOPIC, self._on_speed)
            self._listen(DiagnosticStatus, monitor.topic, monitor.hear)
        self._watch = Watch(self, self._arm, single)
        self._report = self.create_publisher(DiagnosticArray, diagnostics.TOPIC, REPORT)
        self._beat = self.create_publisher(DiagnosticStatus, heartbeats.SAFETY_TOPIC, COMMAND)
        self.create_service(SetBool, "~/arm", self._on_arm)
        self.create_service(Trigger, "~/shadow", self._on_shadow)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self.create_service(Trigger, "~/reset", self._on_reset)

    def _listen(
        self,
        kind: type[Any],
        topic: str,
        callback: Callable[[Any], None],
        qos: QoSProfile = COMMAND,
        most: float = WORDS_MOST,
    ) -> None:
        Inlet(self, kind, topic, callback, qos, most, on_flood=self._gate.fault)

    def _now(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _on_joints(self, message: JointStateMessage) -> None:
        self._gate.add_joints(joint_state_from(message, self._arm.joints), self._now())

    def _on_plan(self, message: TrajectoryMessage) -> None:
        self._gate.add_plan(trajectory_from(message, self._arm.joints), self._now())

    def _on_speed(self, message: Float64) -> None:
        self._gate.add_speed(message.data, self._now())

    def _on_servo(self) -> None:
        self.poll()
        now = self._now()
        if self._auto_arm and self._gate.joints is not None and (refusal := self._arm_gate(now)):
            self._log.warning(f"not armed yet: {refusal}")
        before, self._output = self._output.state, self._gate.step(now)
        self._commander.send(self._output, self._gate.fresh_joints(now))
        if self._output.state is GateState.FAULT is not before:
            self.get_logger().error(f"fault: {', '.join(self._output.reasons)}")
        if self.crowded or self._auto_arm or not self._gate.idle:
            self.wake()  # crowded: only at the full rate is it known whether that is a flood
        else:
            self.rest()

    def _on_watch(self) -> None:
        self.poll()  # ROS time may stand still
        trouble = self._watch.trouble() or self._arming.broken()
        if trouble:
            self._gate.fault(trouble)
        self._beat.publish(heartbeats.beat(NAME, self._gate.state.value, self._arm.name))

    def _arm_gate(self, now: float) -> str:
        """Arm; returns why not, or an empty string."""
        self.wake()
        if refusals := self._arming.refusals():
            return "cannot arm: " + "; ".join(refusals)
        try:
            self._gate.arm(now)
        except SensorError as error:
            return str(error)
        self._auto_arm = False
        self._watch.sources.accept()
        self.get_logger().info("armed")
        return ""

    def _on_arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._auto_arm = False
        if request.data:
            self.poll()
            response.message = self._arm_gate(self._now())
        else:
            self._watch.sources.forget()
            self._gate.disarm()
        if response.message:
            self.get_logger().warning(response.message)
        response.success = not response.message
        response.message = response.message or self._gate.state.value
        return response

    def _on_shadow(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._auto_arm = False
        self.wake()
        self._watch.sources.forget()
        self._gate.shadow()
        return self._answer(response, self._gate.state is not GateState.FAULT)

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._auto_arm = False
        self._gate.stop()
        return self._answer(response, success=True)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.reopen()
        self._watch.sources.forget()
        self._gate.reset()
        return self._answer(response, success=True)

    def _answer(self, response: Trigger.Response, success: bool) -> Trigger.Response:
        response.success, response.message = success, self._gate.state.value
        return response

    def _on_report(self) -> None:
        state, reasons = self._output.state, diagnostics.BETWEEN.join(self._output.reasons)
        level = Level.WARN if reasons and state is GateState.ARMED else _LEVELS.get(state, Level.OK)
        before, self._reported = self._reported, self._now()
        if self._reported == before:
            level, reasons = Level.ERROR, "ROS time stands still, nothing is sent; is /clock published?"
        text = f"{state.value}: {reasons}" if reasons else state.value
        values = {"state": state.value, diagnostics.REASONS: reasons}
        stamp = self.get_clock().now().to_msg()
        self._report.publish(diagnostics.heartbeat(stamp, NAME, self._arm.name, level, text, values))

    def leaves(self) -> bool:
        """Asked to end: brake first, for the controller goes on with what it was told last."""
        now = time.perf_counter()
        self._leaving = self._leaving or now
        self._gate.disarm()
        late = now - self._leaving > self._gate.longest_stop(self._period)  # or ROS time stands still
        return late or not self._gate.moving

    def destroy_node(self) -> None:
        """A velocity controller must not be left moving."""
        self._commander.rest()
        super().destroy_node()


def main() -> int:
    """Run the safety node until interrupted."""
    return spin.run(NAME, SafetyNode, SafetyParameters, leaves=SafetyNode.leaves, shared_memory=False)


if __name__ == "__main__":
    sys.exit(main())
